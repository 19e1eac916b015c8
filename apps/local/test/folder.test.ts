import { spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onCleanup } from '@saoma/testing'
import { isClusterCommand, takeFolder } from '../src/folder.ts'

/** What `ps -o args=` prints. */
test.each([
  ['/usr/bin/node -- /home/ann/saoma/apps/local/src/main.ts\n', true],
  ['node -- /home/ann/saoma/apps/local/src/main.ts --nodes 4\n', true],
  ['node -- /usr/lib/node_modules/saoma/dist/apps/local/src/main.js --lan\n', true],
  ['node apps/local/src/main.ts\n', true],
  ['node -- /home/ann/saoma/apps/local/src/phone.ts\n', false],
  ['node -- /usr/lib/node_modules/saoma/dist/apps/gateway/src/main.js\n', false],
  ['vim /home/ann/saoma/apps/local/README.md\n', false],
  ['', false],
])('%j is a local cluster: %s', (args, is) => {
  expect(isClusterCommand(args)).toBe(is)
})

const newProject = async (): Promise<string> => {
  const project = await mkdtemp(join(tmpdir(), 'saoma-project-'))
  onCleanup(() => rm(project, { recursive: true }))
  return project
}

test('the folder tells git to leave it out, with its secrets', async () => {
  const project = await newProject()
  const { release } = await takeFolder(join(project, '.saoma'))
  onCleanup(release)
  expect(await readFile(join(project, '.saoma/.gitignore'), 'utf8')).toBe('*\n')
})

const withGit = spawnSync('git', ['--version']).status === 0 ? test : test.skip
withGit('git sees nothing of it in a project (skipped without git)', async () => {
  const project = await newProject()
  const { release } = await takeFolder(join(project, '.saoma'))
  onCleanup(release)
  const git = (...args: string[]) => spawnSync('git', args, { cwd: project, encoding: 'utf8' })
  expect(git('init', '--quiet').status).toBe(0)
  expect(git('status', '--porcelain', '--untracked-files=all')).toMatchObject({ status: 0, stdout: '' })
})
