import { createWalkthrough, pageBlocks, runShell } from '@saoma/testing'

const walk = () => createWalkthrough(['id', 'left'])

test('a printed value stands for the one that came, in later requests and answers', () => {
  const printed = walk()
  printed.expect({ id: 'abc', url: 'http://a/abc', left: 60 }, { id: 'xyz', url: 'http://a/xyz', left: 58 })
  expect(printed.fill('GET /abc, /abcd')).toBe('GET /xyz, /xyzd')
  // One printed value begins with another.
  printed.expect({ id: 'abcd' }, { id: 'other' })
  expect(printed.fill('abcd abc')).toBe('other xyz')
})

test('a value that is special in patterns or in replacements stays as it is', () => {
  const printed = walk()
  printed.expect({ id: 'a.b*c' }, { id: '$&' })
  expect(printed.fill('a.b*c axbxc')).toBe('$& axbxc')
})

test.each<[what: string, printed: unknown, got: unknown, place: string]>([
  ['another value', { ok: true }, { ok: false }, 'ok'],
  ['another value where another one came before', { id: 'a', again: 'a' }, { id: 'x', again: 'a' }, 'again'],
  ['a member too much', { a: 1 }, { a: 1, b: 2 }, 'the answer'],
  ['a member too few', [{ a: 1, b: 2 }], [{ a: 1 }], '[0]'],
  ['another length', { list: [1] }, { list: [1, 2] }, 'list'],
  ['another type of a value that varies', { left: 1 }, { left: '1' }, 'left'],
  ['null in place of an object', { a: {} }, { a: null }, 'a'],
  ['nothing at all', { a: 1 }, undefined, 'the answer'],
])('%s is a difference, and its place is told', (_, printed, got, place) => {
  expect(() => walk().expect(printed, got)).toThrow(`${place}: the page has`)
})

test('a shell block fails with the first command that fails, and says what it printed', async () => {
  await expect(runShell('echo one; false; echo two', { cwd: '/' })).rejects.toMatchObject({ stdout: 'one\n' })
  await expect(runShell('echo "$NOTHING_OF_THAT_NAME"', { cwd: '/' })).rejects.toThrow('unbound')
  expect(await runShell('echo "$GIVEN"', { cwd: '/', env: { GIVEN: 'x' } })).toBe('x\n')
})

test('the blocks of a page know their heading and the paragraph before them', () => {
  const blocks = pageBlocks('docs/start.md')
  const start = blocks.find(({ code }) => code === 'npm start\n')
  expect(start).toMatchObject({
    heading: 'From the repository',
    language: 'sh',
    before: expect.stringMatching(/whole cluster/),
  })
  const page = blocks.find(({ language }) => language === 'html')
  expect(page).toMatchObject({ heading: 'From packages', before: expect.stringMatching(/`index\.html`:$/) })
})
