import { execFile, spawnSync } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { onCleanup } from '@saoma/testing'

/* What the packed command `saoma` gets of the folders of the repository, in a copy of them. */

const root = fileURLToPath(new URL('../../..', import.meta.url))
const exec = promisify(execFile)

const packedFiles = async (folder: string): Promise<string[]> => {
  const { stdout } = await exec(process.execPath, [join(root, 'scripts/packed-files.ts'), folder])
  return stdout.trimEnd().split('\n')
}

/** A copy of what is packed, and a way to put more into it. */
const copy = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-packed-'))
  onCleanup(() => rm(folder, { recursive: true, force: true }))
  for (const path of ['.gitignore', ...(await packedFiles(root))]) await cp(join(root, path), join(folder, path))
  const put = async (...files: string[]) => {
    for (const file of files) {
      await mkdir(dirname(join(folder, file)), { recursive: true })
      await writeFile(join(folder, file), 'a secret')
    }
  }
  return { folder, put }
}

/** What operators put beside our files. */
const THEIRS = [
  'nginx/tls.key',
  'redis/users.acl',
  'k8s/overlays/production/secrets.env',
  'apps/shop/channels.json.old',
]
/** The same, where .gitignore excludes it. */
const IGNORED = ['nginx/error.log', 'redis/backup/dump.rdb', 'nginx/.env', 'k8s/overlays/production/secrets/tls.key']

const hasGit = spawnSync('git', ['--version']).status === 0
const testGit: jest.It = hasGit ? test : test.skip

testGit('of a clone only what git knows is packed (skipped without git)', async () => {
  const { folder, put } = await copy()
  await exec('git', ['init', '--quiet'], { cwd: folder })
  await exec('git', ['add', '--all'], { cwd: folder })
  const before = await packedFiles(folder)
  expect(before).toEqual(
    expect.arrayContaining([
      'nginx/run.sh',
      'redis/restore.sh',
      'k8s/overlays/production/egress.yaml',
      '.env.template',
    ]),
  )
  await put(...THEIRS, ...IGNORED)
  expect(await packedFiles(folder)).toEqual(before)
})

test('without a clone what .gitignore excludes is not packed', async () => {
  const { folder, put } = await copy()
  const before = await packedFiles(folder)
  await put(...IGNORED)
  expect(await packedFiles(folder)).toEqual(before)
})

test('a file that is missing is named', async () => {
  const { folder } = await copy()
  await rm(join(folder, 'nginx'), { recursive: true })
  await expect(packedFiles(folder)).rejects.toThrow('nginx cannot be packed: there is no such file')
})
