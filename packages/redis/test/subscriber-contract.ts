import { once } from 'node:events'
import { inLots, onCleanup, until } from '@saoma/testing'
import { type Connection, createRedis } from '../src/index.ts'
import { next, openSubscriber } from './fixtures/subscriber.ts'

/** Channels of many slots, so that in a Redis Cluster every shard has some. */
export const CHANNELS = Array.from({ length: 40 }, (_, i) => `room-${i}`)

/** What Subscriber promises, on any topology. */
export const subscriberContract = async (url: string) => {
  const redis = await createRedis({ url })
  onCleanup(() => redis.close())
  const servers = (): Connection[] => ('nodes' in redis.data ? redis.data.nodes('master') : [redis.data])
  const ask = (...command: [string, ...string[]]) => Promise.all(servers().map((server) => server.call(...command)))

  /** How many connections Redis counts on a channel. */
  const subscribersOf = async (channel: string) => {
    const answers = (await ask('PUBSUB', 'SHARDNUMSUB', channel)) as [string, number][]
    return answers.reduce((sum, [, count]) => sum + Number(count), 0)
  }
  test('hold resolves only after Redis has confirmed the subscription', async () => {
    const subscriber = await openSubscriber(url)
    await Promise.all(
      CHANNELS.map(async (channel) => {
        await subscriber.hold(channel)
        expect(await subscribersOf(channel)).toBe(1)
      }),
    )
    subscriber.close()
  })

  test('a message published right after hold is heard, a thousand times', async () => {
    const subscriber = await openSubscriber(url)
    const heard = new Set<string>()
    const all = new Promise<void>((resolve) => {
      subscriber.heard.on('message', (channel) => {
        if (heard.add(channel).size === 1_000) resolve()
      })
    })
    await inLots(Array(1_000).fill(undefined), async (_, i) => {
      await subscriber.hold(`at-once-${i}`)
      await redis.pub.spublish(`at-once-${i}`, 'hello')
    })
    await all
    expect(heard).toEqual(new Set(Array.from({ length: 1_000 }, (_, i) => `at-once-${i}`)))
    subscriber.close()
  })

  test('holds are counted, and only the last release ends the subscription', async () => {
    const subscriber = await openSubscriber(url)
    await Promise.all([subscriber.hold('counted'), subscriber.hold('counted'), subscriber.hold('counted')])
    expect(subscriber.size).toBe(1)
    subscriber.release('counted')
    subscriber.release('counted')
    const heard = next(subscriber, 'counted')
    await redis.pub.spublish('counted', 'still held')
    expect(await heard).toBe('still held')
    subscriber.release('counted')
    subscriber.release('counted')
    expect(subscriber.size).toBe(0)
    // Redis answers in order, so a hold of another channel of the same slot is confirmed after that channel's
    // end.
    await subscriber.hold('{counted}')
    expect(await subscribersOf('counted')).toBe(0)
    subscriber.close()
  })

  test('a channel that is released and held again at once is heard', async () => {
    const subscriber = await openSubscriber(url)
    for (let round = 0; round < 50; round++) {
      const channel = `again-${round}`
      const first = subscriber.hold(channel)
      subscriber.release(channel)
      await Promise.all([first, subscriber.hold(channel)])
      const heard = next(subscriber, channel)
      await redis.pub.spublish(channel, 'hello')
      expect(await heard).toBe('hello')
    }
    subscriber.close()
  })

  test('nobody may wait for a channel that is not held', async () => {
    await expect(redis.subscriber.confirmed('nobody')).rejects.toThrow(TypeError)
  })

  test('all channels return after the connection is killed, and this is reported', async () => {
    const subscriber = await openSubscriber(url)
    await Promise.all(CHANNELS.map((channel) => subscriber.hold(channel)))
    for (let round = 0; round < 3; round++) {
      const resubscribed = once(subscriber, 'resubscribed')
      await ask('CLIENT', 'KILL', 'TYPE', 'pubsub')
      await resubscribed
      // In a Redis Cluster each shard's connection comes back by itself.
      for (const channel of CHANNELS)
        await until(
          () => subscribersOf(channel),
          (count) => count === 1,
        )
      for (const channel of CHANNELS) {
        const heard = next(subscriber, channel)
        await redis.pub.spublish(channel, `round ${round}`)
        expect(await heard).toBe(`round ${round}`)
      }
    }
    subscriber.close()
  })
}
