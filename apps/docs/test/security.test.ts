import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../src/repository.ts'

/*
 * The table of RFC 10027 in SECURITY.md: it has all mitigations, and the tests that it names are there.
 */

const FILES = ['SECURITY.md', 'docs/zh/security.md']

interface Row {
  section: string
  does: string
  setting: string
  test: string
}

const rowsOf = (file: string): Row[] =>
  [...readFileSync(join(root, file), 'utf8').matchAll(/^\| (6\.1\.\d+) \|(.*)\|$/gm)].map(
    ([, section = '', rest = '']) => {
      const [, does = '', setting = '', test = ''] = rest.split(' |').map((cell) => cell.trim())
      return { section, does, setting, test }
    },
  )

test.each(FILES)('%s names every mitigation of section 6.1, in order, and what Saoma does about it', (file) => {
  const rows = rowsOf(file)
  expect(rows.map(({ section }) => section)).toEqual(Array.from({ length: 17 }, (_, i) => `6.1.${i + 1}`))
  for (const { section, does } of rows) expect([section, does.length > 10]).toEqual([section, true])
})

test('both languages name the same tests', () => {
  const [english = [], chinese = []] = FILES.map((file) => rowsOf(file).map(({ test: named }) => named))
  expect(chinese).toEqual(english)
})

const named = rowsOf('SECURITY.md').flatMap(({ section, test: cell }) =>
  [...cell.matchAll(/`([\w/.-]+\.ts): ([^`]+)`/g)].map(([, file = '', title = '']) => ({ section, file, title })),
)

test('all but one mitigation have a test: a mail filter is not ours', () => {
  const without = rowsOf('SECURITY.md').filter(({ section }) => !named.some((each) => each.section === section))
  expect(without.map(({ section }) => section)).toEqual(['6.1.5'])
})

test.each(named)('$section: $file has the test "$title"', ({ file, title }) => {
  expect(readFileSync(join(root, file), 'utf8')).toContain(`'${title}'`)
})
