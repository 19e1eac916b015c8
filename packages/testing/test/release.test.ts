import { execFile, spawnSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { onCleanup, plainEnv } from '@saoma/testing'

/* Releases, made in copies of the repository. */

const root = fileURLToPath(new URL('../../..', import.meta.url))
const script = join(root, 'scripts/release.ts')
const exec = promisify(execFile)
/** Changesets, on a machine that is busy elsewhere. */
const TIMEOUT_MS = 120_000

interface Ended {
  code: number
  stdout: string
  stderr: string
}

const run = (args: readonly string[]): Promise<Ended> =>
  exec(process.execPath, [script, ...args], { env: plainEnv(), timeout: TIMEOUT_MS }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
  )

const temporary = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-release-'))
  onCleanup(() => rm(folder, { recursive: true, force: true }))
  return folder
}

const MANIFESTS = ['package.json', ...globSync('{packages,apps,examples}/*/package.json', { cwd: root })]
const before: string = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version
const [major = 0, minor = 0, patch = 0] = before.split('.').map(Number)
const NEXT = `${major}.${minor + 1}.0`

const changelog = `# Changes

What people notice.

## Not released yet

### Before you update

- **Stop the frobnicator.** [How](docs/operate.md#stop), and [why](https://example.com/why).

### Login

- It is faster.

## 0.0.1 (2020-01-01)

- It began.
`

const changeset = (step: string): string => `---\n"@saoma/client": ${step}\n---\n\nA reason.\n`

/** A copy of what a release reads and writes, with changesets and a CHANGELOG.md of its own. */
const copy = async (files: Record<string, string> = {}) => {
  const folder = await temporary()
  const copied = ['package-lock.json', '.changeset/config.json', '.changeset/README.md', 'packages/redis/src/keys.ts']
  for (const file of [...copied, ...MANIFESTS]) {
    await mkdir(dirname(join(folder, file)), { recursive: true })
    await cp(join(root, file), join(folder, file))
  }
  for (const [file, text] of Object.entries({ 'CHANGELOG.md': changelog, ...files }))
    await writeFile(join(folder, file), text)
  const git = (...args: string[]) =>
    exec('git', ['-c', 'user.name=test', '-c', 'user.email=test@example.com', ...args], { cwd: folder })
  const commit = async () => {
    await git('add', '--all')
    await git('commit', '--quiet', '--message', 'A state')
  }
  await git('init', '--quiet')
  await commit()
  return {
    folder,
    git,
    commit,
    read: (file: string) => readFile(join(folder, file), 'utf8'),
    write: (file: string, text: string) => writeFile(join(folder, file), text),
    release: (...args: string[]) => run([...args, '--root', folder, '--date', '2026-11-30']),
  }
}

/** Pairs of lines that differ, in two texts of as many lines. */
const differing = (one: string, other: string): [string, string][] => {
  const [ones, others] = [one.split('\n'), other.split('\n')]
  expect(ones).toHaveLength(others.length)
  return ones.flatMap((line, i): [string, string][] =>
    line === others[i] ? [] : [[line.trim(), others[i]?.trim() ?? '']],
  )
}

// Images of Redis, in which the tests run every night, have no git.
const describeGit: jest.Describe = spawnSync('git', ['--version']).status === 0 ? describe : describe.skip

describeGit('in a copy of the repository (skipped without git)', () => {
  test(
    'a version is written everywhere, and nothing else changes',
    async () => {
      const { folder, read, git, commit, release } = await copy({
        '.changeset/one.md': changeset('patch'),
        '.changeset/two.md': changeset('minor'),
      })
      const lockBefore = await read('package-lock.json')
      expect(await release('version')).toMatchObject({ code: 0, stdout: expect.stringContaining(`version ${NEXT}`) })

      for (const file of MANIFESTS) {
        const [old, now] = [await readFile(join(root, file), 'utf8'), await read(file)]
        const line = file.startsWith('examples/') ? `"@saoma/client": "${before}",` : `"version": "${before}",`
        expect([file, differing(old, now)]).toEqual([file, [[line, line.replace(before, NEXT)]]])
      }
      const workspaces = MANIFESTS.filter((file) => /^(?:packages|apps)\//.test(file))
      const changes = differing(lockBefore, await read('package-lock.json'))
      expect(new Set(changes.map(String))).toEqual(new Set([`"version": "${before}",,"version": "${NEXT}",`]))
      // The file itself, its root, and each workspace.
      expect(changes).toHaveLength(2 + workspaces.length)
      expect((await readdir(join(folder, '.changeset'))).sort()).toEqual(['README.md', 'config.json'])

      const [head, rest] = (await read('CHANGELOG.md')).split('## Not released yet\n')
      expect(head).toBe('# Changes\n\nWhat people notice.\n\n')
      expect(rest).toMatch(
        new RegExp(
          `^\\n## ${NEXT} \\(2026-11-30\\)\\n\\n### Before you update\\n\\n\\*\\*Cluster version \\d+\\.\\*\\* .+\\n\\n` +
            '- \\*\\*Stop the frobnicator\\.\\*\\* [^]+### Login\\n\\n- It is faster\\.\\n\\n## 0\\.0\\.1 [^]+It began\\.\\n$',
        ),
      )

      const { stdout } = await git('status', '--porcelain')
      const changed = stdout.split('\n').map((line) => line.slice('XY '.length))
      const expected = ['CHANGELOG.md', 'package-lock.json', '.changeset/one.md', '.changeset/two.md', ...workspaces]
      expect(changed).toEqual(expect.arrayContaining(expected))

      // What this leaves has to be committed, and then there is nothing more to release.
      expect(await release('version')).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/^Commit these changes/),
      })
      await commit()
      expect(await release('version')).toMatchObject({ code: 1, stderr: expect.stringMatching(/^No changeset waits/) })
      expect(await release('tag', `v${NEXT}`)).toMatchObject({ code: 0, stdout: `The tag v${NEXT} fits.\n` })

      // A tag can be set on a commit that nobody has reviewed.
      await git('branch', 'reviewed', 'HEAD~1')
      const off = await release('tag', `v${NEXT}`, '--branch', 'reviewed')
      expect([off.code, off.stderr]).toEqual([1, `The tag v${NEXT} does not fit:\nThis commit is not on reviewed.\n`])
      await git('branch', '--force', 'reviewed', 'HEAD')
      expect(await release('tag', `v${NEXT}`, '--branch', 'reviewed')).toMatchObject({ code: 0 })
      const unknown = await release('tag', `v${NEXT}`, '--branch', 'nowhere')
      expect([unknown.code, unknown.stderr]).toEqual([
        1,
        expect.stringMatching(/git cannot look for this commit on nowhere/),
      ])
      const notes = await release('notes', NEXT)
      expect(notes.stdout).toMatch(/^### Before you update\n/)
      expect(notes.stdout).not.toContain('It began')
      expect(notes.stdout).toContain(`[How](https://github.com/saoma/saoma/blob/v${NEXT}/docs/operate.md#stop)`)
      expect(notes.stdout).toContain('[why](https://example.com/why)')
    },
    TIMEOUT_MS,
  )

  test.each([
    ['patch', `${major}.${minor}.${patch + 1}`],
    ['major', `${major + 1}.0.0`],
  ])(
    'a changeset with %s leads to the version that it asks for',
    async (step, version) => {
      const { read, release } = await copy({ '.changeset/one.md': changeset(step) })
      expect(await release('version')).toMatchObject({ code: 0 })
      // A package that the changeset does not name, and one that is not published.
      for (const name of ['vue', 'tickets'])
        expect(JSON.parse(await read(`packages/${name}/package.json`)).version).toBe(version)
    },
    TIMEOUT_MS,
  )

  test.each([
    [1, 'Nodes of cluster version 1 may run beside it during the update.'],
    [2, 'Nodes of another cluster version cannot run beside it: stop them all first.'],
  ])(
    'an operator reads what may run beside cluster version 2 if that is %i',
    async (beside, sentence) => {
      const { read, release } = await copy({
        '.changeset/one.md': changeset('minor'),
        'CHANGELOG.md': '# Changes\n\n## Not released yet\n\n### Login\n\n- It is faster.\n',
        'packages/redis/src/keys.ts': `export const CLUSTER_VERSION = 2\nexport const VERSION_BESIDE = ${beside}\n`,
      })
      expect(await release('version')).toMatchObject({ code: 0 })
      expect(await read('CHANGELOG.md')).toBe(
        `# Changes\n\n## Not released yet\n\n## ${NEXT} (2026-11-30)\n\n### Before you update\n\n` +
          `**Cluster version 2.** ${sentence}\n\n### Login\n\n- It is faster.\n`,
      )
    },
    TIMEOUT_MS,
  )

  test.each<[string, Record<string, string>, RegExp]>([
    ['without a changeset', {}, /^No changeset waits for a release\./],
    [
      'without a word in CHANGELOG.md',
      { '.changeset/one.md': changeset('minor'), 'CHANGELOG.md': '# Changes\n\n## Not released yet\n' },
      /^CHANGELOG\.md has nothing under "Not released yet"\./,
    ],
    [
      'without a cluster version',
      { '.changeset/one.md': changeset('minor'), 'packages/redis/src/keys.ts': '' },
      /^packages\/redis\/src\/keys\.ts has no number CLUSTER_VERSION\./,
    ],
    [
      'with a changeset for a package that is not there',
      { '.changeset/one.md': changeset('minor').replace('client', 'cliend') },
      /Changesets has refused/,
    ],
  ])(
    'nothing is released %s, and nothing changes',
    async (_, files, told) => {
      const { git, release } = await copy(files)
      expect(await release('version')).toMatchObject({ code: 1, stderr: expect.stringMatching(told) })
      expect((await git('status', '--porcelain')).stdout).toBe('')
    },
    TIMEOUT_MS,
  )

  test('nothing is released from a folder with changes', async () => {
    const { write, release } = await copy({ '.changeset/one.md': changeset('minor') })
    await write('new.txt', '')
    const { code, stderr } = await release('version')
    expect([code, stderr]).toEqual([1, 'Commit these changes first, or put them away:\n?? new.txt\n'])
  })

  test('a tag that does not fit is refused, with all reasons', async () => {
    const { release } = await copy({ '.changeset/one.md': changeset('minor') })
    const { code, stderr } = await release('tag', '9.9.9')
    expect(code).toBe(1)
    expect(stderr.split('\n')).toEqual(
      expect.arrayContaining([
        'The tag 9.9.9 does not fit:',
        'A tag is v and three numbers, such as v0.2.0, unlike 9.9.9.',
        `package.json has version ${before}.`,
        `packages/client/package.json has version ${before}.`,
        'CHANGELOG.md has no version 9.9.9.',
        'CHANGELOG.md has lines under "Not released yet".',
        '.changeset/one.md waits for a release.',
      ]),
    )
  })

  test('a version that is not there has no notes', async () => {
    const { release } = await copy()
    expect(await release('notes', '9.9.9')).toMatchObject({ code: 1, stderr: 'CHANGELOG.md has no version 9.9.9.\n' })
    expect(await release('notes', '0.0.1')).toMatchObject({ code: 0, stdout: '- It began.\n' })
  })
})
