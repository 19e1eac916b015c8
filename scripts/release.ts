/*
 * Makes a release. CONTRIBUTING.md ("How a release is made") has the steps.
 *
 *   npm run release -- version        takes the next version from the changesets, and writes it everywhere
 *   npm run release -- notes 0.2.0    prints what CHANGELOG.md says of a version, for the release page
 *   npm run release -- tag v0.2.0     fails if that tag does not fit what is here, or is not on --branch
 *   npm run release -- publish        publishes what is in .packages/ and not in the registry
 *   npm run release -- page v0.2.0    writes the page of the release on GitHub
 *
 *   --root <folder>      another copy of the repository, for version, notes and tag
 *   --date 2026-11-30    the day of the version; by default today
 *   --branch origin/main the branch that the commit of a tag has to be on; by default none is asked
 *   --packages <folder>  what is published; by default .packages/
 *   --no-provenance      for a registry of your own, which takes no provenance
 */

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { notesOf, release, unreleased } from './changelog.ts'
import { publishPackages } from './publish.ts'
import { root as here, tool } from './run.ts'
import { checkLock, followWorkspaces, readVersions, versionOfWorkspaces } from './versions.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  allowNegative: true,
  options: {
    root: { type: 'string', default: here },
    date: { type: 'string', default: new Date().toISOString().slice(0, 'yyyy-mm-dd'.length) },
    branch: { type: 'string' },
    packages: { type: 'string', default: join(here, '.packages') },
    provenance: { type: 'boolean', default: true },
  },
})
const { root } = values
const read = (file: string): string => readFileSync(join(root, file), 'utf8')

/** Changesets that wait for a release: their files in .changeset/. */
const changesets = (): string[] => {
  const folder = join(root, '.changeset')
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.md') && name !== 'README.md') : []
}

/** Of packages/redis/src/keys.ts: which nodes may run beside those of this version. */
const sentenceOfCluster = (): string => {
  const keys = read('packages/redis/src/keys.ts')
  const numberOf = (name: string): number => {
    const [, number] = new RegExp(`^export const ${name} = (\\d+)$`, 'm').exec(keys) ?? []
    if (!number) throw new Error(`packages/redis/src/keys.ts has no number ${name}.`)
    return Number(number)
  }
  const [version, beside] = [numberOf('CLUSTER_VERSION'), numberOf('VERSION_BESIDE')]
  return beside === version
    ? `**Cluster version ${version}.** Nodes of another cluster version cannot run beside it: stop them all first.`
    : `**Cluster version ${version}.** Nodes of cluster version ${beside} may run beside it during the update.`
}

const refuseDirt = (): void => {
  const { status, stdout, stderr } = spawnSync('git', ['status', '--porcelain'], { cwd: root, encoding: 'utf8' })
  if (status !== 0) throw new Error(`git cannot tell what has changed here: ${stderr ?? 'git is not installed'}`)
  if (stdout) throw new Error(`Commit these changes first, or put them away:\n${stdout.trimEnd()}`)
}

const writeVersion = async (): Promise<void> => {
  refuseDirt()
  if (changesets().length === 0) throw new Error('No changeset waits for a release. Make one: npm run changeset')
  if (!unreleased(read('CHANGELOG.md')))
    throw new Error('CHANGELOG.md has nothing under "Not released yet". Write there what people notice.')
  checkLock(root)
  const sentence = sentenceOfCluster()
  const command = [tool('@changesets/cli/bin.js'), 'version']
  const [code] = await once(spawn(process.execPath, command, { cwd: root, stdio: 'inherit' }), 'exit')
  if (code !== 0) throw new Error('Changesets has refused: see above. To begin anew, run: git checkout .')
  followWorkspaces(root)
  const version = versionOfWorkspaces(root)
  writeFileSync(join(root, 'CHANGELOG.md'), release(read('CHANGELOG.md'), { version, date: values.date, sentence }))
  console.log(`This is version ${version} now. Read CHANGELOG.md again, then commit, and tag the commit v${version}.`)
}

/** Links of CHANGELOG.md are relative to it, and would lead nowhere from another page. */
const withWholeLinks = (text: string, version: string): string => {
  const { homepage } = JSON.parse(read('package.json')) as { homepage: string }
  return text.replaceAll(/\]\((?!https?:|mailto:|#)([^)\s]+)\)/g, (_, to) => `](${homepage}/blob/v${version}/${to})`)
}

const notes = (version: string): string => {
  const text = notesOf(read('CHANGELOG.md'), version)
  if (text === undefined) throw new Error(`CHANGELOG.md has no version ${version}.`)
  return withWholeLinks(text, version)
}

/** A tag can be set on any commit, also on one that nobody has reviewed. */
const offBranch = (branch: string): string[] => {
  const { status, stderr } = spawnSync('git', ['merge-base', '--is-ancestor', 'HEAD', branch], {
    cwd: root,
    encoding: 'utf8',
  })
  if (status === 0) return []
  return [
    status === 1
      ? `This commit is not on ${branch}.`
      : `git cannot look for this commit on ${branch}: ${stderr.trim()}`,
  ]
}

const checkTag = (tag: string): void => {
  const version = tag.replace(/^v/, '')
  const changelog = read('CHANGELOG.md')
  const wrong = [
    ...(/^v\d+\.\d+\.\d+$/.test(tag) ? [] : [`A tag is v and three numbers, such as v0.2.0, unlike ${tag}.`]),
    ...[...readVersions(root)].flatMap(([file, its]) => (its === version ? [] : [`${file} has version ${its}.`])),
    ...(notesOf(changelog, version) ? [] : [`CHANGELOG.md has no version ${version}.`]),
    ...(unreleased(changelog) ? ['CHANGELOG.md has lines under "Not released yet".'] : []),
    ...changesets().map((name) => `.changeset/${name} waits for a release.`),
    ...(values.branch ? offBranch(values.branch) : []),
  ]
  if (wrong.length > 0) throw new Error(`The tag ${tag} does not fit:\n${wrong.join('\n')}`)
  console.log(`The tag ${tag} fits.`)
}

/** A page that is there already is written anew, so that a release can be repeated. */
const writePage = (tag: string): void => {
  checkTag(tag)
  const version = tag.slice(1)
  const gh = (...args: string[]) => spawnSync('gh', ['release', ...args], { input: notes(version), encoding: 'utf8' })
  const isThere = gh('view', tag).status === 0
  const flags = ['--title', `Saoma ${version}`, '--notes-file', '-']
  const { status, stdout, stderr, error } = gh(isThere ? 'edit' : 'create', tag, '--verify-tag', ...flags)
  if (status !== 0) throw new Error(`gh cannot write the page: ${stderr || error?.message}`)
  console.log(stdout.trim())
}

const main = async (): Promise<void> => {
  const [command, argument] = positionals
  if (command === 'version') return writeVersion()
  if (command === 'publish')
    return publishPackages({ folder: values.packages, provenance: values.provenance, say: console.log })
  if (command === 'notes' && argument) return console.log(notes(argument))
  if (command === 'tag' && argument) return checkTag(argument)
  if (command === 'page' && argument) return writePage(argument)
  throw new Error('npm run release -- version | notes <version> | tag <tag> | publish | page <tag>')
}

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
})
