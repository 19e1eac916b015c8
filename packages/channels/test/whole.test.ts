import { createRedis } from '@saoma/redis'
import { onCleanup, startRedis, startRedisCluster } from '@saoma/testing'
import { createChannels, eraseChannel, keptMessages } from '../src/index.ts'

const topologies = {
  standalone: async () => (await startRedis()).url,
  cluster: async () => (await startRedisCluster()).url,
}

test.each(Object.keys(topologies) as (keyof typeof topologies)[])(
  'with a %s Redis a channel is read as a whole and erased, and begins anew for whoever was there',
  async (topology) => {
    const redis = await createRedis({ url: await topologies[topology](), probeMs: 0 })
    const channels = createChannels(redis, { nodeId: 'a' })
    onCleanup(async () => {
      await channels.close()
      await redis.close()
    })
    const [channel, other] = ['user:ann', 'user:bob']
    const all = async (name: string) => {
      const found: number[] = []
      for await (const { offset } of keptMessages(redis, name)) found.push(offset)
      return found
    }
    expect(await all(channel)).toEqual([])
    expect(await eraseChannel(redis, channel)).toBe(false)
    for (let i = 0; i < 45; i++) await channels.publish({ channel, event: 'e', data: i })
    await channels.publish({ channel: other, event: 'e', data: 0 })
    await channels.markRead(channel, 40)
    const heard: number[] = []
    const before = await channels.read(channel, { history: 1 })
    expect(await all(channel)).toEqual(Array.from({ length: 45 }, (_, i) => i + 1))
    for await (const { json } of keptMessages(redis, channel)) heard.push((JSON.parse(json) as { data: number }).data)
    expect(heard).toEqual(Array.from({ length: 45 }, (_, i) => i))

    expect(await eraseChannel(redis, channel)).toBe(true)
    expect(await eraseChannel(redis, channel)).toBe(false)
    expect(await all(channel)).toEqual([])
    expect(await channels.inbox(channel)).toEqual({ read: 0, unread: 0 })
    // Reading makes no key.
    expect(await redis.data.exists(redis.keys.channelMeta(channel))).toBe(0)
    const position = { epoch: before.epoch, offset: before.offset }
    expect(await channels.read(channel, { since: position })).toMatchObject({ recovered: false, reason: 'epoch' })
    await channels.publish({ channel, event: 'e', data: 'anew' })
    expect(await all(channel)).toEqual([1])
    expect(await channels.read(channel, { since: position })).toMatchObject({ recovered: false, reason: 'epoch' })
    expect(await all(other)).toEqual([1])
  },
)
