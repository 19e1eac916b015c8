import { readFileSync } from 'node:fs'

/* docs/conformance.md: what it names is there. */

const page = new URL('../../../docs/conformance.md', import.meta.url)
const rows = readFileSync(page, 'utf8')
  .split('\n')
  .flatMap((line) => {
    const [, name = '', state = '', shown = ''] = /^\| `(oidcc-\S+)` \| ([a-z ]+) \| ?(.*?) ?\|$/.exec(line) ?? []
    return name ? [{ name, state, shown }] : []
  })

test('each test of the four plans stands there once', () => {
  const names = rows.map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
  // Basic, Config, RP-initiated and Back-Channel, in the suite of August 2026.
  expect(names).toHaveLength(38 + 1 + 11 + 2)
})

test.each(rows.filter(({ state }) => state === 'passed'))('what shows $name is a test of ours', ({ shown }) => {
  const [, path = '', title = ''] = /^\[[^\]]+\]\(([^)]+)\): `([^`]+)`$/.exec(shown) ?? []
  const source = readFileSync(new URL(path, page), 'utf8')
  const text = `'${title.replaceAll("'", "\\'")}'`
  expect(source.split('\n').filter((line) => /^(test|\]\))/.test(line) && line.includes(`(${text}`))).toHaveLength(1)
})

test('every other one says why, or that it is missing', () => {
  for (const { state, shown } of rows.filter((row) => row.state !== 'passed'))
    expect([state, shown === '']).toEqual(state === 'not yet' ? ['not yet', true] : ['not applicable', false])
})
