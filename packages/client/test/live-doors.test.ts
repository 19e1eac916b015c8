import { type Cluster, startCluster, webToken } from '@saoma/testing'
import type { Door } from '../src/live/live.ts'
import { createPage } from './browser.ts'
import { browser } from './environment.ts'
import { liveDoorsContract } from './live-doors-contract.ts'
import { startStrictProxy } from './strict-proxy.ts'
import { listen, openLive, publishNumbers, publishUntil, upTo } from './visitor.ts'

let cluster: Cluster
let token: string

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2 })
  token = (await webToken(cluster.origin, 'Li Lei')).access_token
})

const open = (options = {}) =>
  openLive({ origin: cluster.origin, token: () => token, transports: ['websocket'], random: () => 0.2, ...options })

liveDoorsContract(browser, () => cluster)

test('forty rooms are followed without a socket', async () => {
  const { live } = open({ doors: ['stream'] })
  const rooms = upTo(40).map((n) => listen(live.channel(`room:open-many-${n}`)))
  await Promise.all(rooms.map((room) => room.at('live')))
  await Promise.all(upTo(40).map((n) => publishNumbers(cluster.origin, `room:open-many-${n}`, n, n)))
  await Promise.all(rooms.map((room, i) => room.until(i + 1)))
  expect(rooms.map(({ numbers }) => numbers)).toEqual(upTo(40).map((n) => [n]))
})

// Every number comes once and in order.
test('changing between socket, stream and poll mid-stream loses nothing', async () => {
  const channel = 'room:open-every-door'
  const proxy = await startStrictProxy(cluster.origin)
  proxy.allowSockets()
  const { live, at, states } = open({ origin: proxy.origin })
  const room = listen(live.channel(channel))
  await room.at('live')

  const throughAllDoors = async () => {
    await at('socket')
    proxy.refuseSockets()
    await at('stream')
    proxy.holdStreams()
    await at('poll')
    proxy.allowSockets()
    await at('socket')
  }
  const last = await publishUntil(cluster.origin, room, throughAllDoors())
  await room.until(last)
  expect(room.numbers).toEqual(upTo(last))
  expect(room.lost).toEqual([])
  expect(states.filter((state) => state !== 'reconnecting')).toEqual(['socket', 'stream', 'poll', 'socket'])
})

test.each([['stream'], ['poll']] as Door[][])('by %s, a proxy’s page is not taken for an answer', async (door) => {
  let portal = 0
  const { live } = open({
    doors: [door],
    fetch: (input: string, init: RequestInit) =>
      portal++ < 2 ? Promise.resolve(new Response('<html>Welcome</html>')) : fetch(input, init),
  })
  const room = listen(live.channel(`room:open-portal-${door}`))
  await room.at('live')
  expect(portal).toBeGreaterThan(2)
})

test('it reports a missing network and reconnects at once when there is one', async () => {
  const page = createPage()
  const proxy = await startStrictProxy(cluster.origin)
  proxy.allowSockets()
  // It would wait for ever by itself.
  const { live, at } = open({ origin: proxy.origin, page, doors: ['socket'], random: () => 1_000 })
  const room = listen(live.channel('room:open-offline'))
  await room.at('live')
  const lost = room.at('joining')
  proxy.refuseSockets()
  page.setOnline(false)
  expect(live.state).toBe('offline')
  await lost
  await publishNumbers(cluster.origin, 'room:open-offline', 1, 2)
  proxy.allowSockets()
  page.setOnline(true)
  await at('socket')
  await room.until(2)
  expect(room.numbers).toEqual([1, 2])
})

test('a page that is shown again notices that its connection died in its sleep', async () => {
  const page = createPage()
  const proxy = await startStrictProxy(cluster.origin)
  proxy.allowSockets()
  const { live, next } = open({ origin: proxy.origin, page, doors: ['socket'] })
  const room = listen(live.channel('room:open-asleep'))
  await room.at('live')
  page.change(true)
  proxy.freeze()
  await publishNumbers(cluster.origin, 'room:open-asleep', 1, 2)
  const back = next('socket')
  page.change(false)
  await back
  await room.until(2)
  expect(room.numbers).toEqual([1, 2])
})

test("where WebSockets are blocked, Socket.IO's own polling works", async () => {
  const proxy = await startStrictProxy(cluster.origin)
  const { live, states } = open({ origin: proxy.origin, transports: undefined })
  const room = listen(live.channel('room:open-polling'))
  await room.at('live')
  await publishNumbers(cluster.origin, 'room:open-polling', 1, 20)
  await room.until(20)
  expect(room.numbers).toEqual(upTo(20))
  expect(states).toEqual(['socket'])
})
