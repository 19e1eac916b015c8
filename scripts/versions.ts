import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

interface Lock {
  version: string
  packages: Record<string, { version?: string }>
}

const VERSION = /("version": )"[^"]+"/

const readText = (root: string, file: string): string => readFileSync(join(root, file), 'utf8')
const readJson = <T>(root: string, file: string): T => JSON.parse(readText(root, file)) as T

/** The manifests of all workspaces, relative to the root. */
const manifestsOf = (root: string): string[] =>
  readJson<{ workspaces: string[] }>(root, 'package.json')
    .workspaces.flatMap((pattern) => globSync(`${pattern}/package.json`, { cwd: root }))
    .sort()

/** The version of each manifest, by its path: `package.json`, `packages/client/package.json`, … */
export const readVersions = (root: string): Map<string, string> =>
  new Map(
    ['package.json', ...manifestsOf(root)].map((file) => [file, readJson<{ version: string }>(root, file).version]),
  )

/** The one version of all workspaces, without the root. Throws if they have several. */
export const versionOfWorkspaces = (root: string): string => {
  const [, ...versions] = readVersions(root).values()
  const [version, ...others] = new Set(versions)
  if (version === undefined || others.length > 0)
    throw new Error(`The workspaces have versions ${[...new Set(versions)]}`)
  return version
}

/** The API documents, which name the version. `npm run api` writes the same. */
const DOCUMENTS = 'apps/web/public/docs/{openapi,asyncapi}.json'

/** Throws if the lock file lacks a workspace, or if the workspaces have several versions. */
export const checkLock = (root: string): void => {
  versionOfWorkspaces(root)
  const { packages } = readJson<Lock>(root, 'package-lock.json')
  for (const folder of ['', ...manifestsOf(root).map((file) => dirname(file))])
    if (!packages[folder])
      throw new Error(`package-lock.json does not know ${folder || 'the root'}. Run npm install first`)
}

/**
 * Gives what Changesets leaves out the version of the workspaces: the root, the lock file, the API documents,
 * and the examples that name a package of ours. No other version in the lock file changes.
 */
export const followWorkspaces = (root: string): void => {
  checkLock(root)
  const version = versionOfWorkspaces(root)
  writeFileSync(join(root, 'package.json'), readText(root, 'package.json').replace(VERSION, `$1"${version}"`))

  const lock = readJson<Lock>(root, 'package-lock.json')
  lock.version = version
  for (const folder of ['', ...manifestsOf(root).map((file) => dirname(file))]) {
    const entry = lock.packages[folder]
    if (entry) entry.version = version
  }
  writeFileSync(join(root, 'package-lock.json'), `${JSON.stringify(lock, null, 2)}\n`)

  // The first version in them is that of `info`.
  for (const file of globSync(DOCUMENTS, { cwd: root }))
    writeFileSync(join(root, file), readText(root, file).replace(VERSION, `$1"${version}"`))

  for (const file of globSync('examples/*/package.json', { cwd: root })) {
    const text = readText(root, file)
    writeFileSync(join(root, file), text.replaceAll(/("@saoma\/[\w-]+": )"\d[^"]*"/g, `$1"${version}"`))
  }
}
