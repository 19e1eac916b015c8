import { type Cluster, type Gateway, startCluster, webToken } from '@saoma/testing'
import { holderOf } from './browser.ts'
import { startStrictProxy } from './strict-proxy.ts'
import { type Heard, listen, openLive, publishNumbers, publishUntil, upTo, type Visitor } from './visitor.ts'

/** What DESIGN promises: back on another node within this time. */
const BACK_WITHIN_MS = 5_000

let cluster: Cluster
let token: string

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2 })
  token = (await webToken(cluster.origin, 'Li Lei')).access_token
})

/** A page that follows a room on a socket, the node that holds it, and the other one. */
const following = async (channel: string, options = {}): Promise<Followed> => {
  const visitor = openLive({ origin: cluster.origin, token: () => token, transports: ['websocket'], ...options })
  const room = listen(visitor.live.channel(channel))
  await room.at('live')
  const node = await holderOf(cluster)
  const survivor = cluster.nodes.find(({ id }) => id !== node.id)
  if (!survivor) throw new Error('the cluster has one node only')
  return { visitor, room, node, survivor }
}
interface Followed {
  visitor: Visitor
  room: Heard
  node: Gateway
  survivor: Gateway
}

test('the node is killed in the middle of a stream: back on another within 5 s, every number once and in order', async () => {
  const { visitor, room, node, survivor } = await following('room:open-kill')
  let away = 0
  const kill = async () => {
    await room.until(50)
    const lost = visitor.next('reconnecting')
    await node.kill('SIGKILL')
    await lost
    const lostAt = performance.now()
    await visitor.at('socket')
    away = performance.now() - lostAt
    await room.at('live')
  }
  const last = await publishUntil(survivor.origin, room, kill())
  await room.until(last)
  expect(room.numbers).toEqual(upTo(last))
  expect(room.lost).toEqual([])
  expect(away).toBeLessThan(BACK_WITHIN_MS)
  visitor.live.close()
  await node.restart()
})

test('what is published while nobody is connected is there afterwards', async () => {
  const { visitor, room, node, survivor } = await following('room:open-away', { random: () => 0.999 })
  const lost = room.at('joining')
  await node.kill('SIGKILL')
  await lost
  await publishNumbers(survivor.origin, 'room:open-away', 1, 20)
  await room.until(20)
  expect(room.numbers).toEqual(upTo(20))
  visitor.live.close()
  await node.restart()
})

test('a node that drains in the middle of a stream sends its people to another: every number once, nothing fails', async () => {
  const { visitor, room, node, survivor } = await following('room:open-drain')
  const drain = async () => {
    await room.until(20)
    const lost = visitor.next('reconnecting')
    const stopped = node.stop()
    await lost
    await visitor.at('socket')
    await Promise.all([stopped, room.at('live')])
  }
  const last = await publishUntil(survivor.origin, room, drain())
  await room.until(last)
  expect(room.numbers).toEqual(upTo(last))
  expect(visitor.failures).toEqual([])
  visitor.live.close()
  await node.restart()
})

test('a publish whose answer was lost with its node is sent again and happens once', async () => {
  const { visitor, room, node, survivor } = await following('room:open-once')
  const watching = openLive({ origin: survivor.origin, token: () => token, transports: ['websocket'] })
  const seen = listen(watching.live.channel('room:open-once'))
  await seen.at('live')
  // Some of them are done and not answered, others not even received.
  const answers = upTo(100).map((number) => room.room.publish('number', number))
  await node.kill('SIGKILL')
  const results = await Promise.all(answers)
  expect(results.filter(({ ok }) => !ok)).toEqual([])
  const offsets = results.map((result) => result.ok && result.value.offset)
  expect(new Set(offsets)).toEqual(new Set(upTo(100)))
  await seen.untilCount(100)
  expect(seen.numbers).toHaveLength(100)
  expect(new Set(seen.numbers)).toEqual(new Set(upTo(100)))
  visitor.live.close()
  watching.live.close()
  await node.restart()
})

test('a connection that carries nothing any more is given up, and what it was asked goes another way', async () => {
  const proxy = await startStrictProxy(cluster.origin)
  proxy.allowSockets()
  const { live, at } = openLive({ origin: proxy.origin, token: () => token, transports: ['websocket'] })
  const room = listen(live.channel('room:open-frozen'))
  await room.at('live')
  proxy.freeze()
  const lost = room.at('joining')
  expect(await room.room.publish('number', 1)).toMatchObject({ ok: true, value: { offset: 1 } })
  await lost
  await at('socket')
  await room.until(1)
  expect(room.numbers).toEqual([1])
})
