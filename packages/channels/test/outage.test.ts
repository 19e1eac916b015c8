import { RedisUnavailable, whenReady } from '@saoma/redis'
import { startRedis, until } from '@saoma/testing'
import {
  drawChannel,
  drawLoudChannel,
  follow,
  type Node,
  numbers,
  openNode,
  presenceOf,
  publishNumbers,
  uniquePrefix,
} from './fixtures.ts'

const READY_MS = 10_000

const server = await startRedis({ appendonly: true })
const prefix = uniquePrefix()
const [node, other] = await Promise.all([openNode(server.url, prefix), openNode(server.url, prefix)])

test('[C30] calls are refused while Redis is away; afterwards followers continue without a gap', async () => {
  const channel = drawLoudChannel()
  const follower = await follow(node, channel, { user: 'ann' })
  await publishNumbers(other, channel, numbers(10))
  await follower.count(10)
  const mail = 'user:ann'
  await server.kill('SIGKILL')
  const calls = [
    () => node.publish({ channel, event: 'number', data: 1 }),
    () => node.publish({ channel, event: 'number', data: 1, volatile: true }),
    () => node.read(channel),
    () => node.trim(channel, 1),
    () => node.presence(channel),
    () => node.inbox(mail),
    () => node.markRead(mail, 1),
    () => node.end('ann'),
    () => node.lastEnd('ann'),
    () => node.watchEnds('bob', () => {}),
    () => follow(node, channel, { user: 'bob' }),
    () => follow(node, drawChannel(), { user: 'bob' }),
  ]
  await Promise.all(calls.map((call) => expect(call()).rejects.toThrow(RedisUnavailable)))
  expect(node.size).toEqual({ channels: 1, followers: 1 })
  expect(node.subscriber.size).toBe(1)

  await server.restart()
  await Promise.all([node, other].map(({ redis }) => whenReady(redis.data, READY_MS)))
  await publishNumbers(other, channel, numbers(10, 11))
  await follower.count(20)
  expect(follower.data()).toEqual(numbers(20))
  await node.event(({ kind }) => kind === 'resynced')
  // Bob never came in; Ann was here all the time, whatever the nodes are called now.
  expect(await presenceOf(other, channel, 1)).toEqual({ channel, users: ['ann'], count: 1, connections: 1 })
  expect(follower.signals).toMatchObject([{ kind: 'presence', change: { event: 'join', user: 'ann' } }])
})

test('[C30] a Redis that returns empty has other epochs, and followers are told', async () => {
  const channel = drawChannel()
  const follower = await follow(node, channel, { user: 'ann' })
  await publishNumbers(other, channel, numbers(3))
  await follower.count(3)

  await node.redis.data.flushall()
  await publishNumbers(other, channel, [4])
  await follower.count(4)
  expect(follower.heard.at(-1)).toMatchObject({ offset: 1 })
  expect(follower.heard.at(-1)?.epoch).not.toBe(follower.page.epoch)
  expect(await presenceOf(other, channel, 1)).toEqual({ channel, users: ['ann'], count: 1, connections: 1 })
})

/** Short, so that names run out soon. */
const BEAT_MS = 100

/** Two nodes of their own Redis, with Ann on one and Bob on the other; both hear who comes and goes. */
const openPair = async () => {
  const { url } = await startRedis()
  const prefix = uniquePrefix()
  const nodes = await Promise.all([1, 2].map(() => openNode(url, prefix, { beatMs: BEAT_MS })))
  const channel = drawLoudChannel()
  const [first, second] = nodes as [Node, Node]
  const followers = [
    await follow(first, channel, { user: 'ann' }),
    await follow(second, channel, { user: 'bob' }),
  ] as const
  await followers[0].signalled(2)
  const { data, keys } = first.redis
  const names = (): Promise<string[]> => data.zrange(keys.nodes(), '0', '-1')
  const nowMs = async () => {
    const [seconds = 0, micros = 0] = (await data.time()).map(Number)
    return seconds * 1_000 + micros / 1_000
  }
  /** Names that are held. */
  const held = async (): Promise<string[]> => data.zrange(keys.nodes(), `${await nowMs()}`, '+inf', 'BYSCORE')
  const heard = () => followers.map(({ signals }) => signals.length)
  return { data, keys, nodes, channel, followers, names, held, heard, first }
}
const failures = ({ events }: Node) => events.filter(({ kind }) => kind === 'error').length

// The same holds while the next names are taken.
test('[C25] nobody is said to leave when writes are refused until names run out', async () => {
  const { data, keys, nodes, channel, names, held, heard, first } = await openPair()
  const former = await names()
  const before = heard()
  // A sign of life is refused where it writes; that a name's time is over is still seen.
  await data.acl('SETUSER', 'default', '-zadd')
  await until(held, (still) => still.length === 0)
  // By then each has given its name up and failed to take another, which is where the news of it was lost.
  const failed = nodes.map(failures)
  await until(
    async () => nodes.map(failures),
    (now) => now.every((count, i) => count >= (failed[i] ?? 0) + 3),
  )
  await data.acl('SETUSER', 'default', '+zadd')
  await until(names, (present) => present.every((name) => !former.includes(name)))
  expect(await presenceOf(first, channel, 2)).toMatchObject({ count: 2, connections: 2 })
  // Each is present under the name that its node has now, so that no sweep takes them away.
  const people = (await held()).map((name) => data.hkeys(keys.channelPeopleOf(channel, name)))
  expect((await Promise.all(people)).flat().sort()).toEqual(['ann', 'bob'])
  expect(heard()).toEqual(before)
})

test('[C25] a node that is new or returns from an outage calls nobody dead for ten beats', async () => {
  const { url } = await startRedis()
  const dead = 'dead.node'
  const newAt = performance.now()
  const node = await openNode(url, uniquePrefix(), { beatMs: BEAT_MS })
  const { data, keys } = node.redis
  const sweepOf = (name: string) => node.event((event) => event.kind === 'swept' && event.node === name)
  await data.zadd(keys.nodes(), 1, dead)
  await sweepOf(dead)
  expect(performance.now() - newAt).toBeGreaterThan(10 * BEAT_MS)

  await data.acl('SETUSER', 'default', '-zadd')
  const failed = failures(node)
  await until(
    async () => failures(node),
    (now) => now >= failed + 5,
  )
  const backAt = performance.now()
  await data.acl('SETUSER', 'default', '+zadd')
  await data.zadd(keys.nodes(), 1, 'other.node')
  await sweepOf('other.node')
  expect(performance.now() - backAt).toBeGreaterThan(10 * BEAT_MS)
})

test('[C24] [C25] the people of a node that dies are removed from a full Redis, too', async () => {
  const { data, keys, nodes, channel, followers, first } = await openPair()
  const [, second] = nodes
  await data.config('SET', 'maxmemory', '1')
  const dead = (await data.zrange(keys.nodes(), '0', '-1')) as string[]
  await second?.redis.close()
  await first.event((event) => event.kind === 'swept' && dead.includes(event.node))
  expect(await presenceOf(first, channel, 1)).toEqual({ channel, users: ['ann'], count: 1, connections: 1 })
  await followers[0].signalled(3)
  expect(followers[0].signals.at(-1)).toMatchObject({ kind: 'presence', change: { event: 'leave', user: 'bob' } })
})

test('[C25] a full Redis keeps those present, lets them leave and refuses newcomers', async () => {
  const { data, keys, channel, followers, names, heard, first } = await openPair()
  await data.config('SET', 'maxmemory', '1')
  const endsOf = (those: string[]) =>
    Promise.all(those.map(async (name) => Number(await data.zscore(keys.nodes(), name))))
  const look = async () => {
    const those = (await names()).sort()
    return { names: those, heard: heard(), ends: await endsOf(those) }
  }
  let from = await look()
  // Twice as long as a name lasts without a beat. A process that stood still for so long has another name,
  // and begins anew.
  await until(async () => {
    const now = await look()
    if (`${now.names}` !== `${from.names}`) from = now
    return now.ends.every((end, i) => end > (from.ends[i] ?? 0) + 10 * BEAT_MS)
  }, Boolean)
  expect(heard()).toEqual(from.heard)
  await expect(follow(first, channel, { user: 'cleo' })).rejects.toThrow(RedisUnavailable)
  followers[1].close()
  expect(await presenceOf(first, channel, 1)).toEqual({ channel, users: ['ann'], count: 1, connections: 1 })
})
