import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { startRedis } from '@saoma/testing'
import { type Imported, importPeople } from '../src/index.ts'
import { halves, openNode, subOf, uniquePrefix } from './fixtures.ts'

const server = await startRedis()
const lineOf = (i: number) =>
  JSON.stringify({ app: 'wx1', id: `oImported${i}`, sub: `u-${i}`, claims: { name: `P${i}` } })
/** A file with these lines. */
const fileOf = (lines: readonly string[]) => [Buffer.from(lines.join('\n'))]
const identity = (i: number) => ({ provider: 'wechat' as const, app: 'wx1', id: `oImported${i}` })

test('[U16] people get the accounts of their lines, and an import that is repeated changes nothing', async () => {
  const node = await openNode(server.url, uniquePrefix())
  const lines = Array.from({ length: 1_200 }, (_, i) => lineOf(i))
  const onBad = (line: number, why: string) => {
    throw new Error(`${line}: ${why}`)
  }
  expect(await importPeople(fileOf(lines), node.accounts, { onBad })).toEqual({
    lines: 1_200,
    made: 1_200,
    added: 0,
    known: 0,
    bad: 0,
  })
  expect(subOf(await node.accounts.of(identity(7)))).toBe('u-7')
  expect((await node.accounts.find('u-7'))?.claims).toEqual({ name: 'P7' })
  expect(await importPeople(fileOf(lines), node.accounts, { onBad })).toEqual({
    lines: 1_200,
    made: 0,
    added: 0,
    known: 1_200,
    bad: 0,
  })
  expect(await halves(node)).toEqual([])
})

test('[U16] each bad line is named without its values, and the others are done', async () => {
  const { accounts } = await openNode(server.url, uniquePrefix())
  const known = subOf(await accounts.of(identity(1)))
  const bad: [number, string][] = []
  const lines = [
    lineOf(0),
    '{"id":',
    '',
    lineOf(1),
    JSON.stringify({ id: 'oSecret', sub: 'a b', app: 'wx1' }),
    JSON.stringify({ id: 'oSecret', sub: 'x', app: 'wx1', phone: '138' }),
    JSON.stringify({ id: 'oSecret', sub: 'x', app: 'wx1', claims: { level: 3 } }),
    JSON.stringify({ sub: 'x', app: 'wx1' }),
    JSON.stringify({ id: 'o'.repeat(20_000), sub: 'x', app: 'wx1' }),
    lineOf(2),
  ]
  const counts = await importPeople(fileOf(lines), accounts, { onBad: (line, why) => bad.push([line, why]) })
  expect(counts).toEqual({ lines: 10, made: 2, added: 0, known: 0, bad: 7 })
  expect(bad.sort(([a], [b]) => a - b)).toEqual([
    [2, 'it is not JSON'],
    [4, 'this identity, or its unionid, has another account already'],
    [5, 'sub must have 1 to 128 of A-Z a-z 0-9 _ . : @ ~ -, and be neither . nor ..'],
    [6, 'phone is not known'],
    [7, 'claims.level is not known'],
    [8, expect.stringMatching(/^id does not fit/)],
    [9, 'it has more than 16384 bytes'],
  ])
  expect(JSON.stringify(bad)).not.toContain('oSecret')
  expect(subOf(await accounts.of(identity(1)))).toBe(known)
  expect(subOf(await accounts.of(identity(2)))).toBe('u-2')
})

test('[U16] an import that was interrupted goes on behind the line that it names', async () => {
  const { accounts } = await openNode(server.url, uniquePrefix())
  const interrupted = new AbortController()
  const lines = Array.from({ length: 2_000 }, (_, i) => lineOf(i))
  const seen: Imported[] = []
  const first = await importPeople(fileOf(lines), accounts, {
    onBad: () => {},
    onProgress: (counts) => {
      seen.push(counts)
      interrupted.abort()
    },
    signal: interrupted.signal,
  })
  expect(first).toEqual({ lines: 500, made: 500, added: 0, known: 0, bad: 0 })
  const rest = await importPeople(fileOf(lines), accounts, { onBad: () => {}, after: first.lines })
  expect(rest).toEqual({ lines: 2_000, made: 1_500, added: 0, known: 0, bad: 0 })
})

test('[U16] an import waits while Redis is away, and goes on by itself', async () => {
  const own = await startRedis({ appendonly: true })
  const { accounts } = await openNode(own.url, uniquePrefix())
  async function* lines() {
    for (let i = 0; i < 1_000; i++) {
      if (i === 700) {
        await own.kill('SIGKILL')
        void own.restart()
      }
      yield Buffer.from(`${lineOf(i)}\n`)
      if (i % 100 === 0) await turn()
    }
  }
  const counts = await importPeople(lines(), accounts, { onBad: () => {} })
  expect(counts).toMatchObject({ lines: 1_000, bad: 0 })
  expect(counts.made + counts.known).toBe(1_000)
  expect(subOf(await accounts.of(identity(999)))).toBe('u-999')
})

test('[U16] lines may come in any pieces, with a byte order mark, CRLF, U+2028 and no end of the last line', async () => {
  const { accounts } = await openNode(server.url, uniquePrefix())
  const named = (i: number, name: string) => JSON.stringify({ ...JSON.parse(lineOf(i)), claims: { name } })
  const bytes = Buffer.from(`\ufeff${named(0, '王伟')}\r\n\r\n${named(1, 'a\u2028b\u2029c\u0085d')}\n${named(2, '😀')}`)
  for (const size of [1, 7, bytes.length]) {
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
      bytes.subarray(i * size, i * size + size),
    )
    const bad: unknown[] = []
    const counts = await importPeople(pieces, accounts, { onBad: (...args) => bad.push(args) })
    expect([size, bad, counts.lines, counts.made + counts.known]).toEqual([size, [], 4, 3])
  }
  for (const [i, name] of ['王伟', 'a\u2028b\u2029c\u0085d', '😀'].entries())
    expect((await accounts.find(`u-${i}`))?.claims).toEqual({ name })
})

test('[U16] what is not UTF-8 is not guessed', async () => {
  const { accounts } = await openNode(server.url, uniquePrefix())
  // "王伟" as GBK, which spreadsheets in China export.
  const gbk = Buffer.concat([
    Buffer.from('{"app":"wx1","id":"oGbk","sub":"gbk","claims":{"name":"'),
    Buffer.from([0xcd, 0xf5, 0xce, 0xb0]),
    Buffer.from(`"}}\n${lineOf(1)}\n`),
  ])
  const bad: unknown[] = []
  const counts = await importPeople([gbk], accounts, { onBad: (...args) => bad.push(args) })
  expect(counts).toEqual({ lines: 2, made: 1, added: 0, known: 0, bad: 1 })
  expect(bad).toEqual([[1, 'it is not UTF-8']])
})

test('[U16] a file that is one endless line costs no memory', async () => {
  const MB = 1024 * 1024
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  const held = () => {
    collect()
    return process.memoryUsage().arrayBuffers
  }
  let most = 0
  function* pieces() {
    for (let i = 0; i < 200; i++) {
      yield Buffer.alloc(4 * MB, '[')
      // Pieces that nobody holds any more wait for the garbage collector.
      if (i % 20 === 19) most = Math.max(most, held())
    }
    yield Buffer.from(`\n${lineOf(1)}`)
  }
  const { accounts } = await openNode(server.url, uniquePrefix())
  const before = held()
  const bad: unknown[] = []
  const counts = await importPeople(pieces(), accounts, { onBad: (...args) => bad.push(args) })
  expect(counts).toEqual({ lines: 2, made: 1, added: 0, known: 0, bad: 1 })
  expect(bad).toEqual([[1, 'it has more than 16384 bytes']])
  // Some are read ahead.
  expect(most - before).toBeLessThan(100 * MB)
})

test('[U16] of lines about the same person the first one decides, and the last one has the claims', async () => {
  const { accounts } = await openNode(server.url, uniquePrefix())
  const line = (id: string, sub: string, name: string, union?: string) =>
    JSON.stringify({ app: 'wx1', id, sub, claims: { name }, ...(union ? { union } : {}) })
  for (let time = 0; time < 10; time++) {
    const at = (name: string) => `${name}${time}`
    const bad: unknown[] = []
    const counts = await importPeople(
      fileOf([
        // The same identity with two ids, the same id twice, the same unionid with two ids.
        line(at('oTwice'), at('first'), 'A'),
        line(at('oTwice'), at('second'), 'B'),
        line(at('oUnion'), at('same'), 'C', at('uSame')),
        line(at('oOther'), at('same'), 'D'),
        line(at('oThird'), at('third'), 'E', at('uSame')),
      ]),
      accounts,
      { onBad: (...args) => bad.push(args) },
    )
    expect(counts).toEqual({ lines: 5, made: 2, added: 1, known: 0, bad: 2 })
    expect(bad).toEqual([2, 5].map((each) => [each, 'this identity, or its unionid, has another account already']))
    expect((await accounts.find(at('first')))?.claims).toEqual({ name: 'A' })
    expect((await accounts.find(at('same')))?.claims).toEqual({ name: 'D' })
    expect(await accounts.find(at('second'))).toBeUndefined()
    expect(await accounts.find(at('third'))).toBeUndefined()
  }
})

test('[U16] a line names an app of the cluster, and its names are not quoted at length', async () => {
  const { accounts } = await openNode(server.url, uniquePrefix())
  const bad: [number, string][] = []
  const lines = [
    JSON.stringify({ id: 'oFirst', sub: 'x' }),
    JSON.stringify({ id: 'oSecond', sub: 'y', app: 'wx2' }),
    JSON.stringify({ id: 'oTypo', sub: 'z', app: 'wx3' }),
    JSON.stringify({ id: 'oLong', sub: 'z', ['n'.repeat(10_000)]: 1 }),
    `{"id":"oProto","sub":"z","__proto__":{"sub":"x"}}`,
    JSON.stringify({ id: 'oDeep', sub: 'z', claims: { name: 'x'.repeat(200) } }),
  ]
  const options = { apps: ['wx1', 'wx2'], onBad: (line: number, why: string) => bad.push([line, why]) }
  expect(await importPeople(fileOf(lines), accounts, options)).toMatchObject({ made: 2, bad: 4 })
  expect(bad).toEqual([
    [3, 'app does not fit (("wx1" | "wx2"))'],
    [4, `${'n'.repeat(100)} is not known`],
    [5, '__proto__ is not known'],
    [6, 'claims.name does not fit (<=128)'],
  ])
  expect(subOf(await accounts.of({ provider: 'wechat', app: 'wx1', id: 'oFirst' }))).toBe('x')
})
