import type { PresenceChange } from '@saoma/protocol'
import { inLots } from '@saoma/testing'
import {
  drawChannel,
  drawLoudChannel,
  type Follower,
  follow,
  type Node,
  numbers,
  openNode,
  presenceOf,
} from './fixtures.ts'

/** Short: a node sweeps for others when it has been well for ten beats. */
const BEAT_MS = 150
const READS = 20_000

/** Rules about who follows. */
export const presenceContract = async (url: string, prefix: string, node: Node, other: Node) => {
  const { data, keys } = node.redis
  /** This one may be taken for dead on a busy machine, and soon sweeps what others leave. */
  const quick = () => openNode(url, prefix, { beatMs: BEAT_MS, checkMs: 20 })
  /**
   * Nobody takes this one for dead unless its process stands still for 25 s: on a busy machine five have
   * passed without a beat.
   */
  const steady = () => openNode(url, prefix, { beatMs: 5_000, checkMs: 20 })
  /** This one notices within a second that it was taken for dead. */
  const prompt = (checkMs = 20) => openNode(url, prefix, { checkMs })
  const changes = ({ signals }: Follower): Omit<PresenceChange, 'channel'>[] =>
    signals.flatMap((signal) => (signal.kind === 'presence' ? [{ ...signal.change, channel: undefined }] : []))
  const change = (event: 'join' | 'leave', user: string, count: number) => ({ event, user, count, channel: undefined })

  const settled = (channel: string, connections: number) => presenceOf(other, channel, connections)

  /** The node that has people in the channel. */
  const nameOf = async (channel: string) => {
    for (let reads = 0; reads < READS; reads++)
      for (const name of await data.zrange(keys.nodes(), '0', '-1'))
        if (await data.sismember(keys.nodeChannels(`${name}`), channel)) return `${name}`
    throw new Error(`no node has people in ${channel}`)
  }

  test('[C22] people and connections are counted on all nodes from when follow resolves', async () => {
    const channel = drawChannel()
    const followers: Follower[] = []
    const present = async (of: Node, user?: string) =>
      followers.push(await follow(of, channel, user === undefined ? {} : { user }))
    await present(node, 'ann')
    expect(await other.presence(channel)).toEqual({ channel, users: ['ann'], count: 1, connections: 1 })
    await present(other, 'ann')
    await present(other, 'bob with spaces')
    await present(node)
    expect(await node.publish({ channel, event: 'e', data: 1 })).toMatchObject({ value: { connections: 3 } })
    const presence = await node.presence(channel)
    expect({ ...presence, users: presence.users.sort() }).toEqual({
      channel,
      users: ['ann', 'bob with spaces'],
      count: 2,
      connections: 3,
    })
    followers[0]?.close()
    expect(await settled(channel, 2)).toMatchObject({ count: 2 })
    for (const follower of followers) follower.close()
    expect(await settled(channel, 0)).toEqual({ channel, users: [], count: 0, connections: 0 })
  })

  test('[C22] a follower that could not be counted does not follow and is not counted later', async () => {
    const channel = drawChannel()
    const people = keys.channelPeople(channel)
    // No hash: counting fails.
    await data.set(people, 'no hash', 'PX', 60_000)
    await expect(follow(node, channel, { user: 'ann' })).rejects.toThrow('WRONGTYPE')
    await data.del(people)
    const follower = await follow(node, channel, { user: 'bob' })
    expect(await settled(channel, 1)).toEqual({ channel, users: ['bob'], count: 1, connections: 1 })
    expect(node.size).toEqual({ channels: 1, followers: 1 })
    follower.close()
    await settled(channel, 0)
  })

  test('[C22] 1,000 of 1,200 people are named and all are counted', async () => {
    const channel = drawChannel()
    const followers = await inLots(numbers(1_200), (i) => follow(i % 2 ? node : other, channel, { user: `user-${i}` }))
    const presence = await node.presence(channel)
    expect(presence).toMatchObject({ count: 1_200, connections: 1_200 })
    expect(new Set(presence.users).size).toBe(1_000)
    for (const follower of followers) follower.close()
    expect(await settled(channel, 0)).toMatchObject({ count: 0 })
  })

  test('[C23] a person’s first connection is a join, and the end of the last a leave', async () => {
    const [announcing, elsewhere] = await Promise.all([steady(), steady()])
    const channel = drawLoudChannel()
    const watch = await follow(announcing, channel)
    const first = await follow(announcing, channel, { user: 'ann' })
    const second = await follow(elsewhere, channel, { user: 'ann' })
    const third = await follow(elsewhere, channel, { user: 'bob' })
    first.close()
    await settled(channel, 2)
    third.close()
    await settled(channel, 1)
    second.close()
    await watch.signalled(4)
    expect(changes(watch)).toEqual([
      change('join', 'ann', 1),
      change('join', 'bob', 2),
      change('leave', 'bob', 1),
      change('leave', 'ann', 0),
    ])
    await Promise.all([announcing.close(), elsewhere.close()])
  })

  test('[C23] a channel that does not announce stays quiet', async () => {
    const channel = drawChannel()
    const watch = await follow(node, channel)
    for (const user of ['ann', 'bob']) (await follow(other, channel, { user })).close()
    await settled(channel, 0)
    // Behind everything above on the same channel.
    await other.publish({ channel, event: 'end', data: 1 })
    await watch.count(1)
    expect(watch.signals).toEqual([])
    watch.close()
  })

  test('[C23] joins and leaves alternate, however often somebody comes and goes at once', async () => {
    const [announcing, elsewhere] = await Promise.all([steady(), steady()])
    const channel = drawLoudChannel()
    const watch = await follow(announcing, channel)
    await Promise.all(
      numbers(60).map(async (i) => (await follow(i % 2 ? announcing : elsewhere, channel, { user: 'ann' })).close()),
    )
    await settled(channel, 0)
    await other.publish({ channel, event: 'end', data: 1 })
    await watch.count(1)
    const events = changes(watch).map(({ event, count }) => `${event} ${count}`)
    expect(events.length).toBeGreaterThan(0)
    expect(events.length % 2).toBe(0)
    for (const [i, event] of events.entries()) expect(event).toBe(i % 2 ? 'leave 0' : 'join 1')
    await Promise.all([announcing.close(), elsewhere.close()])
  })

  test('[C24] the people of a dead node are removed and announced as leaving; others stay', async () => {
    const [living, dying, sweeper] = await Promise.all([steady(), steady(), quick()])
    const channels = numbers(30).map(drawLoudChannel)
    const watches = await Promise.all(channels.map((channel) => follow(living, channel, { user: 'ann' })))
    await Promise.all(channels.flatMap((channel) => ['ann', 'bob'].map((user) => follow(dying, channel, { user }))))
    const own = drawLoudChannel()
    await follow(dying, own, { user: 'bob' })
    const name = await nameOf(own)
    // No goodbye: its connections are gone, and so its beats. The last one was long ago.
    await dying.redis.close()
    await data.zadd(keys.nodes(), 1, name)
    await Promise.race(
      [living, node, other, sweeper].map((each) =>
        each.event((event) => event.kind === 'swept' && event.node === name),
      ),
    )
    for (const channel of channels)
      expect(await settled(channel, 1)).toEqual({ channel, users: ['ann'], count: 1, connections: 1 })
    await Promise.all(watches.map((watch) => watch.signalled(3)))
    for (const watch of watches)
      expect(changes(watch)).toEqual([change('join', 'ann', 1), change('join', 'bob', 2), change('leave', 'bob', 1)])
    await Promise.all([living.close(), dying.close(), sweeper.close()])
  })

  test('[C25] a living node that was taken for dead reports its people again by another name', async () => {
    const [living, cutOff] = await Promise.all([prompt(), prompt(3_600_000)])
    const channels = numbers(10).map(drawChannel)
    await Promise.all(channels.map((channel) => follow(cutOff, channel, { user: 'ann' })))
    const name = await nameOf(channels[0] ?? '')
    for (let round = 0; round < 2; round++) {
      const before = await nameOf(channels[0] ?? '')
      await data.zadd(keys.nodes(), 1, before)
      await Promise.race(
        [living, cutOff, node, other].map((each) =>
          each.event((event) => event.kind === 'swept' && event.node === before),
        ),
      )
      for (const channel of channels)
        expect(await settled(channel, 1)).toEqual({ channel, users: ['ann'], count: 1, connections: 1 })
    }
    expect(await nameOf(channels[0] ?? '')).not.toBe(name)
    await Promise.all([living.close(), cutOff.close()])
  })

  test('[C25] the check finds a count that Redis has lost', async () => {
    const checking = await steady()
    const channel = drawChannel()
    await Promise.all(['ann', 'bob'].map((user) => follow(checking, channel, { user })))
    const name = await nameOf(channel)
    await data.del(keys.channelPeople(channel), keys.channelPeopleOf(channel, name))
    expect(await settled(channel, 2)).toMatchObject({ count: 2 })
    await checking.close()
  })

  test('[C26] a node that closes removes its people before close resolves', async () => {
    const closing = await steady()
    const channels = numbers(40).map(drawLoudChannel)
    const watch = await follow(node, channels[0] ?? '')
    await Promise.all(channels.map((channel) => follow(closing, channel, { user: 'ann' })))
    const name = await nameOf(channels[0] ?? '')
    await closing.close()
    for (const channel of channels) expect(await node.presence(channel)).toMatchObject({ count: 0, connections: 0 })
    expect(await data.exists(keys.nodeChannels(name))).toBe(0)
    expect(await data.zscore(keys.nodes(), name)).toBeNull()
    await watch.signalled(2)
    expect(changes(watch)).toEqual([change('join', 'ann', 1), change('leave', 'ann', 0)])
    watch.close()
  })
}
