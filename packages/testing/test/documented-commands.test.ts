import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensurePage, ensurePrograms, pageBlocks } from '@saoma/testing'
import { type Entry, LIST, LIVE, LOGIN, START } from './documented-list.ts'
import { createReader } from './reader.ts'
import { blocksTakenBy } from './taken-blocks.ts'

/*
 * Every fenced block of the pages that people copy from is run by a test. This file runs the shell commands,
 * in the order of the pages, in a folder that looks like a clone. `documented-list.ts` names the test of each
 * other block. A block that is new, or that has moved, fails this file until the list has it.
 */

const root = fileURLToPath(new URL('../../../', import.meta.url))
const PAGES = [START, LOGIN, LIVE]
const START_TIMEOUT_MS = 120_000

const blocksOf = (page: string) => pageBlocks(page).map((block) => ({ page, ...block }))
const nameOf = ({ page, heading, language }: Entry): string => `${page}, ${heading}: ${language || 'no language'}`
const textOf = (path: string): string => readFileSync(join(root, path), 'utf8')

test('every block of the pages is on the list, in their order', () => {
  expect(LIST.map(nameOf)).toEqual(PAGES.flatMap(blocksOf).map(nameOf))
  for (const entry of LIST) {
    const ways = [entry.here, entry.by, entry.why].filter((way) => way !== undefined)
    expect([nameOf(entry), ways.length]).toEqual([nameOf(entry), 1])
  }
  // Nor does a block hide in a list, or behind words after its language.
  for (const page of PAGES) {
    const fences = textOf(page).match(/^\s*(?:```|~~~)/gm) ?? []
    expect([page, fences.length]).toEqual([page, 2 * blocksOf(page).length])
  }
})

test('every test that is named is there, and takes its code from that heading', () => {
  for (const { page, heading, by } of LIST) {
    if (by === undefined) continue
    expect([by, existsSync(join(root, by))]).toEqual([by, true])
    expect([by, blocksTakenBy(textOf(by))]).toEqual([by, expect.arrayContaining([{ page, heading }])])
  }
})

test.each([
  ['a call', "documented('docs/login.md', 'In Node')", true],
  ['a call with names for both', "const [A, B] = ['x.md', 'docs/login.md'] as const\ncodeOf(o, B, 'In Node', 2)", true],
  ['the contract of components', "runComponentContract({\n  heading: 'In Node',\n})", true],
  ['a heading alone', "const heading = 'In Node'", false],
  ['a comment', "// documented('docs/login.md', 'In Node')", false],
  ['a comment of more lines', "/*\n * documented('docs/login.md', 'In Node')\n */", false],
  ['another page', "documented('docs/live.md', 'In Node')", false],
])('that a test takes its code from a heading is seen: %s', (_, text, taken) => {
  expect(blocksTakenBy(text).some(({ page, heading }) => page === LOGIN && heading === 'In Node')).toBe(taken)
})

test(
  'the commands of the pages do what the pages say, one after the other',
  async () => {
    await ensurePrograms(['redis', 'nginx', 'curl'], () => {})
    await ensurePage(() => {})
    const reader = await createReader()
    const blocks = PAGES.flatMap(blocksOf)
    for (const [i, { here }] of LIST.entries()) {
      const block = blocks[i]
      if (here && block) await here(reader, await reader.run(block))
    }
    await reader.end()
  },
  START_TIMEOUT_MS,
)
