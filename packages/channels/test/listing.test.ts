import { startRedis, startRedisCluster, until } from '@saoma/testing'
import pMap from 'p-map'
import { type Node, numbers, openNode, publishNumbers, uniquePrefix } from './fixtures.ts'
import { listAll } from './listing-contract.ts'

const fill = async (node: Node, count: number): Promise<string[]> => {
  const names = numbers(count).map((i) => `room:moving-${i}`)
  await pMap(names, (name) => publishNumbers(node, name, [1]), { concurrency: 20 })
  return names
}
const FIRST_SLOT = /^\d+/

test.each([
  ['is', 1],
  ['will be', 2],
])('[C35] no channel is left out while its slot moves from where the walk %s to where it was', async (_, from) => {
  const cluster = await startRedisCluster()
  const node = await openNode(cluster.url, uniquePrefix())
  const names = await fill(node, 300)
  const { data, keys } = node.redis
  const slots = await pMap(names, async (name) => Number(await data.call('CLUSTER', 'KEYSLOT', keys.channelMeta(name))))
  const masters = await cluster.masters()
  const { ports } = cluster
  const moved: string[] = []
  const pages = await listAll(node, { limit: 25 }, async (__, found, next) => {
    const { done = '', at } = next?.walk ?? {}
    const present = ports.find((port) => masters.get(port)?.includes(Number(FIRST_SLOT.exec(at?.slots ?? '')?.[0])))
    // In the second master: the first one was walked through, and the third one was not yet.
    if (moved.length > 0 || done === '' || present !== ports[1]) return
    const known = new Set(found.flat().map(({ channel }) => channel))
    const there = masters.get(ports[from] ?? 0)
    const unknown = names.filter((name, i) => !known.has(name) && there?.includes(slots[i] ?? 0)).slice(0, 30)
    moved.push(...unknown)
    await cluster.moveSlots(
      unknown.map((name) => slots[names.indexOf(name)] ?? 0),
      ports[0] ?? 0,
    )
  })
  expect(moved.length).toBeGreaterThan(20)
  const found = new Set(pages.flat().map(({ channel }) => channel))
  expect(names.filter((name) => !found.has(name))).toEqual([])
})

test('[C35] a place is short enough for an address, however many ranges of slots the masters have', async () => {
  const cluster = await startRedisCluster()
  const [first = 0, second = 0] = cluster.ports
  const there = (await cluster.masters()).get(second) ?? []
  await cluster.moveSlots(
    there.filter((_, i) => i % 13 === 6),
    first,
  )
  const node = await openNode(cluster.url, uniquePrefix())
  const names = await fill(node, 200)
  const longest: number[] = []
  const pages = await listAll(node, { limit: 20 }, (_page, _found, next) => {
    longest.push(Buffer.from(JSON.stringify(next ?? {})).toString('base64url').length)
  })
  const found = new Set(pages.flat().map(({ channel }) => channel))
  expect(names.filter((name) => !found.has(name))).toEqual([])
  expect(Math.max(...longest)).toBeLessThanOrEqual(8_000)
})

test('[C35] no channel is left out when Redis is another process in the middle, whose cursors mean other places', async () => {
  const server = await startRedis({ appendonly: true })
  const node = await openNode(server.url, uniquePrefix())
  const names = await fill(node, 200)
  const pages = await listAll(node, { limit: 15 }, async (page) => {
    if (page !== 5) return
    await server.kill('SIGKILL')
    await server.restart()
    await until(
      () => node.list({ limit: 1 }).catch(() => undefined),
      (answer) => answer !== undefined,
    )
  })
  const found = pages.flat().map(({ channel }) => channel)
  expect(names.filter((name) => !found.includes(name))).toEqual([])
  // It began anew.
  expect(found.length).toBeGreaterThan(200)
})
