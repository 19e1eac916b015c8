import { type Cluster, testApiKey, webToken } from '@saoma/testing'
import { createPublisher } from '../src/server.ts'
import type { Environment } from './environment.ts'
import { startStrictProxy } from './strict-proxy.ts'
import { listen, openLive, publishNumbers, publishUntil, upTo } from './visitor.ts'

/** What holds by every door that there is where the page is open. */
export const liveDoorsContract = ({ surroundings, doors }: Environment, at: () => Cluster) => {
  const plain = doors.filter((door) => door !== 'socket')
  /** Those that do not ask again and again. */
  const pushing = doors.filter((door) => door !== 'poll')
  let cluster: Cluster
  let token: string

  beforeAll(async () => {
    cluster = at()
    token = (await webToken(cluster.origin, 'Li Lei')).access_token
  })

  const open = (options = {}) =>
    openLive({
      origin: cluster.origin,
      token: () => token,
      transports: ['websocket'],
      random: () => 0.2,
      ...surroundings(),
      ...options,
    })

  test.each(doors)('by %s every message arrives once and in order', async (door) => {
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
  })

  test.each(plain)('by %s the rooms of a page come and go, and one may be refused', async (door) => {
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
  })

  test.each(doors)('connections cut mid-stream by %s lose and double nothing', async (door) => {
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
  })

  test.each(pushing)(
    'a message lost on the way by %s is noticed at the next one and delivered before it',
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

  test('a message right behind the answer to a subscription is not handled before it', async () => {
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
    // Counted when the page has been read: the message is in no answer, and there is no other that would tell
    // of it.
    while (!(await isFollowed()));
    await publishNumbers(cluster.origin, channel, 1, 1)
    await room.until(1)
    expect(room.numbers).toEqual([1])
  })

  test.each(doors)('by %s, a client that was away too long is told and begins with the newest', async (door) => {
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
  })
}
