import { userChannel } from '@saoma/protocol'
import { until } from '@saoma/testing'
import {
  drawChannel,
  follow,
  type Node,
  numbers,
  openNode,
  publishNumbers,
  serversOf,
  uniquePrefix,
} from './fixtures.ts'

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000

/** Rules about how long Redis keeps what is known of a channel. */
export const lifetimeContract = async (url: string, node: Node) => {
  const { data, keys } = node.redis
  const left = (channel: string) => data.pttl(keys.channelMeta(channel))
  const keysOf = async ({ redis }: Node, channel: string): Promise<string[]> =>
    (await Promise.all(serversOf(redis).map((server) => server.keys(`*{${channel}}*`)))).flat()
  /**
   * How many checks a node has made, by what Redis counts of HLEN, which no other script of a quiet channel
   * has.
   */
  const checksOf = async ({ redis }: Node) => {
    const count = async () => {
      const infos = await Promise.all(serversOf(redis).map((server) => server.info('commandstats')))
      return infos.reduce((sum, info) => sum + Number(/cmdstat_hlen:calls=(\d+)/.exec(info)?.[1] ?? 0), 0)
    }
    const before = await count()
    return { calls: async () => (await count()) - before }
  }

  test.each([29, 90, 365])(
    '[C29] a channel outlives its log, even when messages are kept for %i days',
    async (days) => {
      const long = await openNode(url, uniquePrefix(), { retention: () => ({ messages: 10, ms: days * DAY_MS }) })
      const { data: redis, keys: names } = long.redis
      const channel = drawChannel()
      const [meta, log] = [names.channelMeta(channel), names.channelLog(channel)]
      const lives = async () => {
        const [ofMeta, ofLog] = await Promise.all([redis.pttl(meta), redis.pttl(log)])
        expect(ofLog).toBeGreaterThan((days - 1) * DAY_MS)
        expect(ofMeta).toBeGreaterThan(ofLog)
      }
      await publishNumbers(long, channel, [1])
      await lives()
      const looks = [() => publishNumbers(long, channel, [2]), () => long.read(channel), () => long.inbox(channel)]
      for (const look of looks)
        for (const life of [HOUR_MS, 30 * DAY_MS, days * DAY_MS - HOUR_MS, days * DAY_MS]) {
          await redis.pexpire(meta, Math.min(life, days * DAY_MS))
          await look()
          await lives()
        }
      await long.close()
    },
  )

  test('[C11] [C29] asking for an unused channel leaves nothing; its first message lasts a month', async () => {
    const looks = [
      (channel: string) => node.read(channel, { history: 10 }),
      (channel: string) => node.read(channel, { since: { epoch: 'another', offset: 7 } }),
      node.inbox,
      (channel: string) => node.markRead(channel, 7),
      async (channel: string) => (await follow(node, channel)).close(),
      async (channel: string) => (await follow(node, channel, { since: { epoch: 'another', offset: 7 } })).close(),
      (channel: string) => node.trim(channel, 7),
      node.presence,
    ]
    for (const [i, look] of looks.entries()) {
      const channel = userChannel(`quiet-${i}-${drawChannel().slice(5)}`)
      await look(channel)
      expect(await keysOf(node, channel)).toEqual([])
      expect(await publishNumbers(node, channel, [1])).toMatchObject([{ offset: 1 }])
      expect(await left(channel)).toBeGreaterThan(29 * DAY_MS)
    }
  })

  test('[C11] checking a followed empty channel leaves nothing and its first message is heard', async () => {
    const checking = await openNode(url, uniquePrefix(), { checkMs: 20 })
    const channel = drawChannel()
    const [follower, person] = [await follow(checking, channel), await follow(checking, channel, { user: 'ann' })]
    const { calls } = await checksOf(checking)
    await until(calls, (count) => count > 5)
    const present = await keysOf(checking, channel)
    expect(present.map((key) => key.replace(/people:.*/, 'people')).filter((key) => !key.endsWith('people'))).toEqual(
      [],
    )
    person.close()
    await until(
      () => keysOf(checking, channel),
      (names) => names.length === 0,
    )
    await publishNumbers(checking, channel, [1, 2])
    await follower.count(2)
    expect(follower.data()).toEqual([1, 2])
    expect(checking.events.filter(({ kind }) => kind !== 'error')).toEqual([])
    follower.close()
    await checking.close()
  })

  test('[C29] a followed channel lasts as long as somebody follows it', async () => {
    const checking = await openNode(url, uniquePrefix(), { checkMs: 20 })
    const { data: redis, keys: names } = checking.redis
    const channel = drawChannel()
    await publishNumbers(checking, channel, [1])
    const follower = await follow(checking, channel)
    await redis.pexpire(names.channelMeta(channel), 8 * DAY_MS)
    const leftMs = await until(
      () => redis.pttl(names.channelMeta(channel)),
      (ms) => ms > 8 * DAY_MS,
    )
    expect(leftMs).toBeGreaterThan(29 * DAY_MS)
    follower.close()
    await checking.close()
  })

  test('[C26] a node that closes during a sweep leaves the rest of it to another node', async () => {
    const closing = await openNode(url, uniquePrefix(), { beatMs: 50 })
    const { data: redis, keys: names } = closing.redis
    const dead = 'dead.node'
    const [first, ...others] = numbers(20_000).map((i) => `room:${i}`)
    const peopled = others.slice(0, 50).map((channel) => names.channelPeopleOf(channel, dead))
    for (const mine of peopled) {
      await redis.hset(mine, 'ann', 1)
      await redis.pexpire(mine, HOUR_MS)
    }
    await redis.sadd(names.nodeChannels(dead), first ?? '', ...others)
    await redis.pexpire(names.nodeChannels(dead), HOUR_MS)
    // A sweep begins with the list of the channels. The lock that it takes before may be gone at the next
    // look.
    const sweeping = new Promise<void>((resolve) => {
      const smembers = redis.smembers.bind(redis)
      Object.assign(redis, {
        smembers: (key: string) => {
          if (key === names.nodeChannels(dead)) resolve()
          return smembers(key)
        },
      })
    })
    await redis.zadd(names.nodes(), 1, dead)
    await sweeping
    await closing.close()
    // On a busy machine it may have lost a name of its own meanwhile, and swept that.
    expect(closing.events.filter((event) => event.kind === 'swept' && event.node === dead)).toEqual([])
    expect(await redis.zscore(names.nodes(), dead)).not.toBeNull()
    expect(await redis.scard(names.nodeChannels(dead))).toBe(20_000)
    // They are swept in no order, so of the first few hundred that were done hardly one was among these.
    const left = await Promise.all(peopled.map((mine) => redis.exists(mine)))
    expect(left.filter((exists) => exists === 1).length).toBeGreaterThan(0)
  })
}
