import { setImmediate as turn } from 'node:timers/promises'
import { startRedis } from '@saoma/testing'
import { type Imported, importPeople } from '../src/index.ts'
import { halves, openNode, subOf, uniquePrefix } from './fixtures.ts'

const server = await startRedis()
const lineOf = (i: number) =>
  JSON.stringify({ app: 'wx1', id: `oImported${i}`, sub: `u-${i}`, claims: { name: `P${i}` } })
const identity = (i: number) => ({ provider: 'wechat' as const, app: 'wx1', id: `oImported${i}` })

test('[A16] people get the accounts of their lines, and an import that is repeated changes nothing', async () => {
  const node = await openNode(server.url, uniquePrefix())
  const lines = Array.from({ length: 1_200 }, (_, i) => lineOf(i))
  const onBad = (line: number, why: string) => {
    throw new Error(`${line}: ${why}`)
  }
  expect(await importPeople(lines, node.accounts, { onBad })).toEqual({ lines: 1_200, made: 1_200, known: 0, bad: 0 })
  expect(subOf(await node.accounts.of(identity(7)))).toBe('u-7')
  expect((await node.accounts.find('u-7'))?.claims).toEqual({ name: 'P7' })
  expect(await importPeople(lines, node.accounts, { onBad })).toEqual({ lines: 1_200, made: 0, known: 1_200, bad: 0 })
  expect(await halves(node)).toEqual([])
})

test('[A16] each bad line is named without its values, and the others are done', async () => {
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
  const counts = await importPeople(lines, accounts, { onBad: (line, why) => bad.push([line, why]) })
  expect(counts).toEqual({ lines: 10, made: 2, known: 0, bad: 7 })
  expect(bad.sort(([a], [b]) => a - b)).toEqual([
    [2, 'it is not JSON'],
    [4, 'this identity has another account already'],
    [5, 'sub must have 1 to 128 of A-Z a-z 0-9 _ . : @ ~ -'],
    [6, 'phone is not known'],
    [7, 'claims.level is not known'],
    [8, expect.stringMatching(/^id does not fit/)],
    [9, 'it has more than 16384 characters'],
  ])
  expect(JSON.stringify(bad)).not.toContain('oSecret')
  expect(subOf(await accounts.of(identity(1)))).toBe(known)
  expect(subOf(await accounts.of(identity(2)))).toBe('u-2')
})

test('[A16] an import that was interrupted goes on behind the line that it names', async () => {
  const { accounts } = await openNode(server.url, uniquePrefix())
  const interrupted = new AbortController()
  const lines = Array.from({ length: 2_000 }, (_, i) => lineOf(i))
  const seen: Imported[] = []
  const first = await importPeople(lines, accounts, {
    onBad: () => {},
    onProgress: (counts) => {
      seen.push(counts)
      interrupted.abort()
    },
    signal: interrupted.signal,
  })
  expect(first).toEqual({ lines: 500, made: 500, known: 0, bad: 0 })
  const rest = await importPeople(lines, accounts, { onBad: () => {}, after: first.lines })
  expect(rest).toEqual({ lines: 2_000, made: 1_500, known: 0, bad: 0 })
})

test('[A16] an import waits while Redis is away, and goes on by itself', async () => {
  const own = await startRedis({ appendonly: true })
  const { accounts } = await openNode(own.url, uniquePrefix())
  async function* lines() {
    for (let i = 0; i < 1_000; i++) {
      if (i === 700) {
        await own.kill('SIGKILL')
        void own.restart()
      }
      yield lineOf(i)
      if (i % 100 === 0) await turn()
    }
  }
  const counts = await importPeople(lines(), accounts, { onBad: () => {} })
  expect(counts).toMatchObject({ lines: 1_000, bad: 0 })
  expect(counts.made + counts.known).toBe(1_000)
  expect(subOf(await accounts.of(identity(999)))).toBe('u-999')
})
