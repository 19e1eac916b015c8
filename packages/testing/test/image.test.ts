import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { onCleanup } from '@saoma/testing'

/* What the images leave out of the installed packages: the commands of the Dockerfile, in a small folder. */

const dockerfile = readFileSync(fileURLToPath(new URL('../../../Dockerfile', import.meta.url)), 'utf8')
/** The command of each stage that makes packages lean. */
const commands = [...dockerfile.matchAll(/^FROM \S+ AS (lean-\S+)\nRUN ((?:.*\\\n)*.*)$/gm)].map(
  ([, stage = '', command = '']) => [stage, command] as const,
)

const KEPT = [
  'LICENSE',
  'license.md',
  'LICENCE.md',
  'LICENSE-MIT.md',
  'NOTICE.md',
  'THIRD-PARTY-NOTICES.md',
  'COPYING.md',
  'index.js',
  'data.json',
  'README',
]
const LEFT_OUT = ['README.md', 'index.d.ts', 'index.d.mts', 'index.d.cts', 'index.js.map', 'docs/page.md']

test('there are two such stages', () => {
  expect(commands.map(([stage]) => stage)).toEqual(['lean-packages', 'lean-demo-packages'])
})

test.each(commands)('%s leaves out what nothing reads, and keeps each text of a licence', async (_, command) => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-image-'))
  onCleanup(() => rm(folder, { recursive: true, force: true }))
  for (const file of [...KEPT, ...LEFT_OUT]) {
    const place = join(folder, 'node_modules/one', file)
    await mkdir(dirname(place), { recursive: true })
    await writeFile(place, '')
  }
  await promisify(execFile)('/bin/sh', ['-ec', command], { cwd: folder })
  const left = await readdir(join(folder, 'node_modules/one'), { recursive: true })
  expect(left.sort()).toEqual([...KEPT, 'docs'].sort())
})
