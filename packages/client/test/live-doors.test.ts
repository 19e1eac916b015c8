import { type Cluster, startCluster, testApiKey, webToken } from '@saoma/testing'
import type { Door } from '../src/live.ts'
import { createPublisher } from '../src/server.ts'
import { createPage } from './browser.ts'
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

test.each([['socket'], ['stream'], ['poll']] as Door[][])(
  'by %s every message comes once and in order',
  async (door) => {
    const channel = `room:open-${door}`
    const { live, at } = open({ doors: [door] })
    const before = await publishNumbers(cluster.origin, channel, 1, 3)
    const all = listen(live.channel(channel, { history: 2 }))
    await at(door)
    await all.at('live')
    await publishNumbers(cluster.origin, channel, 4, 12)
    await all.until(12)
    expect(all.numbers).toEqual([2, ...upTo(12).slice(2)])
    expect(all.room.position).toEqual({ epoch: before.epoch, offset: 12 })
    expect(all.lost).toEqual([])
  },
)

test.each([['stream'], ['poll']] as Door[][])(
  'by %s the rooms of a page come and go, and one may be refused',
  async (door) => {
    const { live } = open({ doors: [door] })
    const kept = listen(live.channel(`room:open-${door}-kept`))
    await kept.at('live')
    const refused = listen(live.channel('room:members-only'))
    const closed = listen(live.channel(`room:open-${door}-closed`))
    const own = listen(live.channel('@user'))
    await Promise.all([refused.at('refused'), closed.at('live'), own.at('live')])
    expect(own.room.inbox).toMatchObject({ read: 0 })
    closed.room.close()
    await publishNumbers(cluster.origin, `room:open-${door}-closed`, 1, 1)
    await publishNumbers(cluster.origin, `room:open-${door}-kept`, 1, 1)
    await kept.until(1)
    expect(closed.numbers).toEqual([])
  },
)

test('forty rooms are followed without a socket', async () => {
  const { live } = open({ doors: ['stream'] })
  const rooms = upTo(40).map((n) => listen(live.channel(`room:open-many-${n}`)))
  await Promise.all(rooms.map((room) => room.at('live')))
  await Promise.all(upTo(40).map((n) => publishNumbers(cluster.origin, `room:open-many-${n}`, n, n)))
  await Promise.all(rooms.map((room, i) => room.until(i + 1)))
  expect(rooms.map(({ numbers }) => numbers)).toEqual(upTo(40).map((n) => [n]))
})

test('from socket to stream to poll and back to the socket, in the middle of a stream: every number once, in order', async () => {
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

test.each([['socket'], ['stream'], ['poll']] as Door[][])(
  'connections cut in the middle of a stream by %s lose and double nothing',
  async (door) => {
    const channel = `room:open-cut-${door}`
    const proxy = await startStrictProxy(cluster.origin)
    proxy.allowSockets()
    const { live, at, next } = open({ origin: proxy.origin, doors: [door] })
    const room = listen(live.channel(channel))
    await room.at('live')
    const cuts = async () => {
      for (let cut = 0; cut < 3; cut++) {
        await at(door)
        const lost = next('reconnecting')
        proxy.cut()
        await lost
      }
      await at(door)
    }
    const last = await publishUntil(cluster.origin, room, cuts())
    await room.until(last)
    expect(room.numbers).toEqual(upTo(last))
  },
)

test.each([['socket'], ['stream']] as Door[][])(
  'a message that is lost on the way by %s is noticed at the next and told before it',
  async (door) => {
    const channel = `room:open-hole-${door}`
    const proxy = await startStrictProxy(cluster.origin)
    proxy.allowSockets()
    const { live } = open({ origin: proxy.origin, doors: [door] })
    const room = listen(live.channel(channel))
    await room.at('live')
    await publishNumbers(cluster.origin, channel, 1, 2)
    await room.until(2)
    const lost = proxy.lose('"data":3,')
    await publishNumbers(cluster.origin, channel, 3, 3)
    await lost
    await publishNumbers(cluster.origin, channel, 4, 4)
    await room.until(4)
    expect(room.numbers).toEqual([1, 2, 3, 4])
    expect(room.lost).toEqual([])
  },
)

test.each([['stream'], ['poll']] as Door[][])('by %s, the page of a proxy is not taken for an answer', async (door) => {
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

test('without a network it says so, and it is back at once when there is one', async () => {
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

test('a message right behind the answer to a subscription is not taken before it', async () => {
  const channel = 'room:open-behind'
  const proxy = await startStrictProxy(cluster.origin)
  proxy.allowSockets()
  const { live, at } = open({ origin: proxy.origin, doors: ['socket'] })
  await at('socket')
  proxy.gather('"data":1,')
  const room = listen(live.channel(channel))
  const publisher = createPublisher({ origin: cluster.origin, apiKey: testApiKey })
  const isFollowed = async () => {
    const answer = await publisher.presence(channel)
    return answer.ok && answer.value.connections === 1
  }
  // Counted when the page has been read: the message is in no answer, and there is no other that would tell of it.
  while (!(await isFollowed()));
  await publishNumbers(cluster.origin, channel, 1, 1)
  await room.until(1)
  expect(room.numbers).toEqual([1])
})

test("where WebSockets are blocked, Socket.IO's own polling does", async () => {
  const proxy = await startStrictProxy(cluster.origin)
  const { live, states } = open({ origin: proxy.origin, transports: undefined })
  const room = listen(live.channel('room:open-polling'))
  await room.at('live')
  await publishNumbers(cluster.origin, 'room:open-polling', 1, 20)
  await room.until(20)
  expect(room.numbers).toEqual(upTo(20))
  expect(states).toEqual(['socket'])
})

test.each([['socket'], ['stream'], ['poll']] as Door[][])(
  'by %s, who was away for too long is told, and begins with the newest',
  async (door) => {
    const channel = `room:open-lost-${door}`
    const { epoch } = await publishNumbers(cluster.origin, channel, 1, 10)
    const publisher = createPublisher({ origin: cluster.origin, apiKey: testApiKey })
    expect(await publisher.trim(channel, 8)).toMatchObject({ ok: true })
    const since = { epoch, offset: 2 }
    const { live } = open({ doors: [door] })
    const room = listen(live.channel(channel, { since, history: 2 }))
    await room.untilCount(2)
    await publishNumbers(cluster.origin, channel, 11, 11)
    await room.until(11)
    expect(room.lost).toEqual([{ reason: 'trimmed', since, position: { epoch, offset: 10 } }])
    expect(room.numbers).toEqual([9, 10, 11])
  },
)
