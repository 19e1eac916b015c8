import { hash } from 'node:crypto'
import { onCleanup, type RedisServer, startRedis, startRedisCluster, until } from '@saoma/testing'
import calculateSlot from 'cluster-key-slot'
import {
  connect,
  createBudget,
  createPlaces,
  createRedis,
  type RedisClients,
  RedisUnavailable,
  whenReady,
} from '../src/index.ts'

const HOUR_MS = 3_600_000
const NODES = 3

let server: RedisServer
let nodes: RedisClients[]

beforeAll(async () => {
  server = await startRedis()
  nodes = await Promise.all(
    Array.from({ length: NODES }, async () => {
      const redis = await createRedis({ url: server.url, probeMs: 0 })
      onCleanup(() => redis.close())
      return redis
    }),
  )
})

const callsOf = async (): Promise<number> => {
  const info = (await nodes[0]?.data.info('commandstats')) ?? ''
  return [...info.matchAll(/cmdstat_(?:evalsha|eval):calls=(\d+)/g)].reduce((sum, [, calls]) => sum + Number(calls), 0)
}

test.each([1, 3, 7])(
  'all nodes together allow a subject its limit and one slice each, at a cost of %i',
  async (cost) => {
    const [limit, slice] = [1_000, 50]
    const budgets = nodes.map((redis) => createBudget(redis, { name: `race-${cost}`, limit, windowMs: HOUR_MS }))
    const attempts = budgets.flatMap((budget) => Array.from({ length: 1_000 }, () => budget.spend('ann', cost)))
    const waits = await Promise.all(attempts)
    const spent = waits.filter((wait) => wait === undefined).length * cost
    expect(spent).toBeGreaterThanOrEqual(limit - NODES * slice)
    expect(spent).toBeLessThanOrEqual(limit + NODES * slice)
    for (const wait of waits) if (wait !== undefined) expect([wait > 0, wait <= HOUR_MS]).toEqual([true, true])
    expect(await budgets[0]?.spend('bob', cost)).toBeUndefined()
  },
)

test('small spending costs no call, full spending one call a slice, and nobody is refused', async () => {
  const [redis] = nodes as [RedisClients]
  const budget = createBudget(redis, { name: 'calls', limit: 1_000, windowMs: HOUR_MS })
  const before = await callsOf()
  for (let i = 0; i < 50; i++) expect(await budget.spend('ann', 1)).toBeUndefined()
  expect(await callsOf()).toBe(before)
  expect(await redis.data.keys('*budget:calls:*')).toEqual([])
  for (let i = 0; i < 950; i++) expect(await budget.spend('ann', 1)).toBeUndefined()
  for (let i = 0; i < 100; i++) expect(await budget.spend('ann', 1)).toBeGreaterThan(0)
  expect((await callsOf()) - before).toBeLessThanOrEqual(21)
  const [key = ''] = await redis.data.keys('*budget:calls:*')
  expect(key).not.toContain('ann')
  expect(await redis.data.pttl(key)).toBeGreaterThan(HOUR_MS - 60_000)
})

test('a cost that does not fit is refused, and a smaller one may still fit', async () => {
  const [redis] = nodes as [RedisClients]
  const budget = createBudget(redis, { name: 'sizes', limit: 100, windowMs: HOUR_MS })
  expect(await budget.spend('ann', 101)).toBeGreaterThan(0)
  expect(await budget.spend('ann', 90)).toBeUndefined()
  expect(await budget.spend('ann', 30)).toBeGreaterThan(0)
  expect(await budget.spend('ann', 10)).toBeUndefined()
  expect(await budget.spend('ann', 1)).toBeGreaterThan(0)
})

test('when the window is over the whole limit is available again on every node', async () => {
  const budgets = nodes.map((redis) => createBudget(redis, { name: 'window', limit: 10, windowMs: 300 }))
  for (const budget of budgets) while ((await budget.spend('ann', 1)) === undefined);
  const [first] = budgets
  const wait = (await first?.spend('ann', 1)) ?? 0
  expect(wait).toBeLessThanOrEqual(300)
  for (const budget of budgets)
    await until(
      () => budget.spend('ann', 1),
      (refused) => refused === undefined,
    )
})

// Besides the limit each node has some free places.
test('places on all nodes keep to the limit and return when they are left', async () => {
  const [limit, free] = [150, 20]
  const open = nodes.map((redis, i) => {
    const places = createPlaces(redis, { name: 'seats', nodeId: `n${i}`, limit, free })
    onCleanup(() => places.close())
    return places
  })
  const all = await Promise.all(
    open.flatMap((places) => Array.from({ length: 150 }, () => places.enter('person with {braces}'))),
  )
  const inside = all.filter((leave) => leave !== undefined)
  expect(inside.length).toBeLessThanOrEqual(limit + NODES * free)
  expect(inside.length).toBeGreaterThanOrEqual(limit)
  expect(await open[0]?.enter('somebody else')).toBeInstanceOf(Function)
  for (const leave of inside) {
    leave()
    leave()
  }
  const again = await Promise.all(Array.from({ length: free }, () => open[1]?.enter('person with {braces}')))
  expect(again.filter((leave) => leave === undefined)).toEqual([])
})

test('while Redis is away only costs that need a call are refused', async () => {
  const gone = await startRedis()
  const redis = await createRedis({ url: gone.url, probeMs: 0 })
  onCleanup(() => redis.close())
  const budget = createBudget(redis, { name: 'away', limit: 200, windowMs: HOUR_MS })
  await gone.stop()
  for (let i = 0; i < 10; i++) expect(await budget.spend('ann', 1)).toBeUndefined()
  await expect(budget.spend('ann', 1)).rejects.toThrow(RedisUnavailable)
})

test('places on other shards are reported while one shard is away', async () => {
  const cluster = await startRedisCluster()
  const redis = await createRedis({ url: cluster.url, probeMs: 0 })
  onCleanup(() => redis.close())
  const places = createPlaces(redis, { name: 'seats', nodeId: 'a', limit: 100, free: 0, sayMs: 50 })
  onCleanup(() => places.close())
  const subjects = Array.from({ length: 30 }, (_, i) => `person ${i}`)
  const leaves = await Promise.all(subjects.map((subject) => places.enter(subject)))
  const operators = await Promise.all(
    cluster.nodes.map(async ({ url }) => {
      const operator = connect({ url, name: 'test', onError: () => {} })
      onCleanup(() => operator.disconnect())
      await whenReady(operator, 5_000)
      return operator
    }),
  )
  const held = async (i: number) => (await operators[i]?.keys('*:places:*'))?.length
  expect(await held(0)).toBeGreaterThan(0)
  // The shard of whoever is said first.
  const first = await cluster.ownerOf(calculateSlot(`{${hash('sha256', subjects[0] ?? '', 'base64url')}}`))
  const dead = cluster.ports.indexOf(first)
  await cluster.nodes[dead]?.kill('SIGKILL')
  for (const leave of leaves) leave?.()
  for (const i of [0, 1, 2].filter((each) => each !== dead))
    await until(
      () => held(i),
      (count) => count === 0,
    )
})
