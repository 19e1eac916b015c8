import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onCleanup, startProcess } from '@saoma/testing'

const script = fileURLToPath(new URL('../../../scripts/check-paths.ts', import.meta.url))

const check = async (page: string, program = ''): Promise<string[]> => {
  const root = await mkdtemp(join(tmpdir(), 'saoma-paths-'))
  onCleanup(() => rm(root, { recursive: true }))
  for (const [file, text] of [
    ['docs/page.md', page],
    ['README.md', ''],
    ['apps/gateway/src/main.ts', program],
    ['packages/channels/src/feed.ts', ''],
    ['node_modules/other/gone.ts', ''],
  ] as const) {
    await mkdir(dirname(join(root, file)), { recursive: true })
    await writeFile(join(root, file), text)
  }
  const run = await startProcess({ name: 'the check', command: process.execPath, args: [script, '--root', root] })
  await run.exited
  return run.lines.map(({ text }) => text)
}

test.each([
  ['a file', '`channels/feed.ts`, `packages/channels/src/feed.ts`', 'Paths: every file that is named is there.'],
  ['a file that is gone', '`channels/member.ts`', 'docs/page.md:1 names channels/member.ts, which is no file'],
  ['a file of somebody else', '`other/gone.ts`', 'docs/page.md:1 names other/gone.ts, which is no file'],
])('%s', async (_, page, told) => {
  expect(await check(page)).toEqual([told])
})

test('commands that a program recommends exist', async () => {
  expect(await check('', "'Usage: node apps/gateway/src/main.ts'")).toEqual([
    'Paths: every file that is named is there.',
  ])
  expect(await check('```sh\nnode apps/gateway/src/gone.ts\n```', "'Usage: node apps/gateway/src/key.ts'")).toEqual([
    'apps/gateway/src/main.ts:1 names apps/gateway/src/key.ts, which is no file',
    'docs/page.md:2 names apps/gateway/src/gone.ts, which is no file',
  ])
})
