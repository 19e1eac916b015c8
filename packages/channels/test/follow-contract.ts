import { RedisUnavailable } from '@saoma/redis'
import pMap from 'p-map'
import type { ChannelsEvent } from '../src/event.ts'
import { Feed } from '../src/feed.ts'
import { FeedListener } from '../src/feed-listener.ts'
import { createLog, type Log } from '../src/log.ts'
import {
  drawChannel,
  type Follower,
  follow,
  LogEntry,
  type Node,
  numbers,
  openNode,
  presenceOf,
  publishNumbers,
} from './fixtures.ts'

const CHANNELS = 40
/**
 * Channels that race at once: with all of them a command waits for longer than its three seconds on a busy
 * machine.
 */
const AT_ONCE = { concurrency: 10 }
/** Steps of a publisher on each channel, and messages in each. */
const STEPS = 20
const STEP = 8
/** Messages at once at a moment that matters. */
const BURST = 50
const FOLLOWERS = 8
/** On each channel, at least. */
const MESSAGES = STEPS * STEP + 2 * BURST
const CHURN = 2_000

/** What a follower has to have after its page: every offset up to the last, once and in order. */
const expectWhole = (follower: Follower, last: number) => {
  expect(follower.heard.map(({ offset }) => offset)).toEqual(
    numbers(last - follower.page.offset, follower.page.offset + 1),
  )
}

/** Rules about following. The publisher is another node. */
export const followContract = async (url: string, prefix: string, node: Node, other: Node) => {
  const { keys } = node.redis

  test(`[C13] ${CHANNELS * MESSAGES} messages around the moment of following come once and in order`, async () => {
    const racing = await openNode(url, prefix)
    const { subscriber } = racing
    const followers: Follower[] = []
    const race = async (channel: string) => {
      const live = keys.channelPubsub(channel)
      const bursts: Promise<unknown>[] = []
      const burst = () => bursts.push(publishNumbers(other, channel, numbers(BURST)))
      const join = async (start: boolean) => {
        const follower = await follow(racing, channel, {}, { start })
        // At the very moment at which it was told that it follows.
        if (followers.push(follower) % FOLLOWERS === 1) burst()
        if (!start) setImmediate(follower.start)
      }
      const joining = [join(true)]
      held.set(live, burst)
      for (let i = 0; i < STEPS; i++) {
        // Steps of a publisher and of followers, side by side.
        if (i % 2) joining.push(join(i % 4 === 1))
        await publishNumbers(other, channel, numbers(STEP))
      }
      await Promise.all(joining)
      await Promise.all(bursts)
    }
    const held = new Map<string, () => void>()
    subscriber.held = (live) => held.get(live)?.()
    const channels = numbers(CHANNELS).map(drawChannel)
    await pMap(channels, race, AT_ONCE)
    for (const follower of followers) {
      const { offset: top } = await node.read(follower.page.channel)
      await follower.count(top - follower.page.offset)
      expectWhole(follower, top)
    }
    expect(followers).toHaveLength(CHANNELS * (1 + STEPS / 2))
    // Else the race was none.
    expect(new Set(followers.map(({ page }) => page.offset)).size).toBeGreaterThan(10)
    // On a machine that is busy elsewhere pub/sub may come so late that the log is read for it.
    expect(racing.events.filter(({ kind }) => kind !== 'resynced' && kind !== 'refilled')).toEqual([])
    expect(racing.size).toEqual({ channels: CHANNELS, followers: followers.length })
    await racing.close()
  })

  test('[C13] a follower that returns with its position gets the rest from its page and live', async () => {
    const channel = drawChannel()
    let position = { epoch: (await node.read(channel)).epoch, offset: 0 }
    const got: number[] = []
    const publishing = (async () => {
      for (let i = 0; i < 40; i++) await publishNumbers(other, channel, numbers(25, i * 25 + 1))
    })()
    while (position.offset < 1_000) {
      const follower = await follow(node, channel, { since: position })
      expect(follower.page.recovered).toBe(true)
      if (!follower.page.more && follower.page.offset < 1_000) await follower.count(1)
      follower.close()
      got.push(...follower.data())
      position = { epoch: follower.heard.at(-1)?.epoch ?? follower.page.epoch, offset: got.length }
    }
    await publishing
    expect(got).toEqual(numbers(1_000))
  })

  test('[C21] a message heard before the log is read does not count as news afterwards', async () => {
    const channel = drawChannel()
    const [published] = await publishNumbers(other, channel, [1])
    const epoch = published?.epoch ?? ''
    const log = createLog(node.redis, () => ({ messages: 100, ms: 60_000 }))
    let reads = 0
    const resume: typeof log.resume = (...asked) => {
      reads++
      return log.resume(...asked)
    }
    const feed = new Feed(channel, keys.channelPubsub(channel), {
      log: { ...log, resume },
      schedule: (due) => queueMicrotask(() => due.flush()),
      onEvent: () => {},
    })
    const member = new FeedListener({ messages: () => {}, signal: () => {} })
    feed.join(member)
    feed.settle(member, { epoch, offset: 1, how: 'recovered', more: false, messages: [] })
    // Of an epoch that is no more, and heard while the log is read for another: it is looked at once more,
    // and then not again.
    for (const offset of [3, 4]) feed.hear(Buffer.from(`m${offset} bygone "event":"e","data":1,"time":1`))
    for (let i = 0; i < 50; i++) await node.read(channel)
    expect(reads).toBe(2)
    feed.leave(member)
  })

  /** A feed by itself, of a channel with ten messages, and a member that has them. */
  const openFeed = async (around: (resume: Log['resume']) => Log['resume'] = (resume) => resume) => {
    const channel = drawChannel()
    const published = await publishNumbers(other, channel, numbers(10))
    const epoch = published[0]?.epoch ?? ''
    const log = createLog(node.redis, () => ({ messages: 100, ms: 60_000 }))
    const feed = new Feed(channel, keys.channelPubsub(channel), {
      log: { ...log, resume: around(log.resume) },
      schedule: (due) => queueMicrotask(() => due.flush()),
      onEvent: () => {},
    })
    const stand = (offset: number, messages: LogEntry[] = []) => {
      const heard: LogEntry[] = []
      const member = new FeedListener({ messages: (batch) => void heard.push(...batch), signal: () => {} })
      feed.join(member)
      feed.settle(member, { epoch, offset, how: 'recovered', more: false, messages })
      member.start()
      return { heard, member }
    }
    return { channel, epoch, feed, stand, first: stand(10) }
  }
  /** As a master that had been replaced would tell of it. */
  const ghost = (offset: number, epoch: string) =>
    Buffer.from(`m${offset} ${epoch} "event":"number","data":"ghost","time":1`)

  test('[C21] a contradiction that arrives while the log is read is found after the read', async () => {
    let late = () => {}
    const { channel, epoch, feed, stand, first } = await openFeed((resume) => async (...asked) => {
      late()
      late = () => {}
      return resume(...asked)
    })
    const joined: { heard: LogEntry[]; member: FeedListener }[] = []
    late = () => {
      joined.push(stand(11, [new LogEntry(channel, epoch, 11, '"event":"number","data":"ghost","time":1')]))
    }
    await publishNumbers(other, channel, [11, 12])
    feed.hear(ghost(12, epoch))
    while (joined.length === 0) await node.read(channel)
    const [second] = joined
    if (!second) throw new Error('somebody joined')
    while (second.heard.length < 3) await node.read(channel)
    expect(second.heard.map((kept) => [kept.epoch === epoch, kept.offset])).toEqual([
      [true, 12],
      [false, 11],
      [false, 12],
    ])
    for (const { member } of [first, second]) feed.leave(member)
  })

  test('[C21] a message that arrives during a comparison is compared as well', async () => {
    const { epoch, feed, first } = await openFeed()
    feed.doubt()
    const found = async () => {
      feed.hear(ghost(11, epoch))
      return { epoch, top: 11, same: true }
    }
    expect(await feed.check(found)).toBe(false)
    expect(await feed.check(async () => ({ epoch, top: 11, same: true }))).toBe(true)
    feed.leave(first.member)
  })

  test('[C14] messages and signals wait for start and keep their order', async () => {
    const channel = drawChannel()
    const [waiting, running] = [await follow(node, channel, {}, { start: false }), await follow(node, channel)]
    await publishNumbers(other, channel, [1, 2])
    await other.publish({ channel, event: 'typing', data: 1, volatile: true })
    await publishNumbers(other, channel, [3])
    await running.count(3)
    expect(waiting.heard).toEqual([])
    expect(waiting.signals).toEqual([])
    waiting.start()
    expect(waiting.data()).toEqual([1, 2, 3])
    expect(waiting.signals).toHaveLength(1)
    await publishNumbers(other, channel, [4])
    await waiting.count(4)
    for (const follower of [waiting, running]) follower.close()
  })

  test('[C14] messages and signals keep their order even when they arrive together', async () => {
    const channel = drawChannel()
    const order: string[] = []
    const following = await node.follow(
      channel,
      {},
      {
        messages: (batch) => order.push(...batch.map((kept) => `${kept.parse().data}`)),
        signal: ({ kind }) => order.push(kind),
      },
    )
    following.start()
    const watch = await follow(node, channel)
    const typing = { channel, event: 'typing', data: 1, volatile: true }
    const rounds = 20
    await Promise.all(numbers(rounds).flatMap((i) => [publishNumbers(other, channel, [i]), other.publish(typing)]))
    await watch.count(rounds)
    await watch.signalled(rounds)
    expect(order).toEqual(numbers(rounds).flatMap((i) => [`${i}`, 'volatile']))
    for (const follower of [watch, following]) follower.close()
  })

  test('[C14] above 1,000 waiting messages the oldest is dropped', () => {
    const member = new FeedListener({ messages: (batch) => heard.push(...batch), signal: () => {} })
    const heard: LogEntry[] = []
    for (const offset of numbers(1_500)) member.messages([new LogEntry('room:a', 'epoch', offset, '')])
    member.start()
    expect(heard.map(({ offset }) => offset)).toEqual(numbers(1_000, 501))
  })

  test('[C15] a page with more follows nothing; the next follow continues from its position', async () => {
    const channel = drawChannel()
    await publishNumbers(other, channel, numbers(310))
    const since = { epoch: (await node.read(channel)).epoch, offset: 0 }
    const first = await follow(node, channel, { since, user: 'ann' })
    expect(first.page).toMatchObject({ more: true, offset: 300 })
    expect(node.size).toEqual({ channels: 0, followers: 0 })
    expect(node.subscriber.size).toBe(0)
    expect(await node.presence(channel)).toMatchObject({ connections: 0 })
    first.close()
    const second = await follow(node, channel, { since: first.page })
    await publishNumbers(other, channel, [311])
    await second.count(1)
    expect([...first.data(), ...second.data()]).toEqual(numbers(311))
    second.close()
  })

  test('[C16] messages that arrive together are one batch, the same array for all who get it', async () => {
    const channel = drawChannel()
    const followers = await Promise.all(numbers(3).map(() => follow(node, channel)))
    await publishNumbers(other, channel, numbers(500))
    await Promise.all(followers.map((follower) => follower.count(500)))
    const [first, ...others] = followers
    expect(first?.batches.length).toBeLessThan(250)
    for (const follower of others) {
      expect(follower.batches).toHaveLength(first?.batches.length ?? 0)
      for (const [i, batch] of follower.batches.entries()) expect(batch).toBe(first?.batches[i])
    }
    for (const follower of followers) follower.close()
  })

  test(`[C17] ${CHURN} rounds of following and closing leave nothing behind`, async () => {
    const channels = numbers(20).map(drawChannel)
    const pick = (i: number) => channels[i % channels.length] ?? ''
    const churn = async (i: number) => {
      const channel = pick(i)
      const follower = await follow(node, channel, i % 3 ? {} : { user: `user-${i % 7}` })
      if (i % 5 === 0) await publishNumbers(other, channel, [i])
      follower.close()
      follower.close()
      if (i % 4 === 0) (await node.watchEnds(`user-${i % 7}`, () => {})).close()
    }
    for (let i = 0; i < CHURN; i += 100) await Promise.all(numbers(100, i).map(churn))
    expect(node.size).toEqual({ channels: 0, followers: 0 })
    expect(node.subscriber.size).toBe(0)
    for (const channel of channels) {
      expect(await presenceOf(other, channel, 0)).toEqual({ channel, users: [], count: 0, connections: 0 })
    }
    // On a busy machine a sign of life may get no answer in time, and the next one does.
    const isLate = (event: ChannelsEvent) => event.kind === 'error' && event.error instanceof RedisUnavailable
    expect(node.events.filter((event) => event.kind !== 'resynced' && !isLate(event))).toEqual([])
  })

  test('[C17] a channel that is followed, closed and followed again in one tick is heard', async () => {
    for (const channel of numbers(30).map(drawChannel)) {
      const first = await follow(node, channel)
      first.close()
      const again = follow(node, channel)
      const [second, third] = await Promise.all([again, follow(node, channel)])
      second.close()
      await publishNumbers(other, channel, [1])
      await third.count(1)
      expect(first.heard).toEqual([])
      expect(second.heard).toEqual([])
      third.close()
    }
    expect(node.subscriber.size).toBe(0)
  })

  test('[C17] a follower that closes while a message is delivered hears no more', async () => {
    const channel = drawChannel()
    const watch = await follow(node, channel)
    const heard: LogEntry[] = []
    const following = await node.follow(
      channel,
      {},
      {
        messages: (batch) => {
          heard.push(...batch)
          following.close()
        },
        signal: () => {},
      },
    )
    await publishNumbers(other, channel, [1])
    await watch.count(1)
    await publishNumbers(other, channel, [2])
    await watch.count(2)
    following.start()
    expect(heard.map(({ offset }) => offset)).toEqual([1])
    watch.close()
  })

  test('[C17] a closing node refuses new followers and those under way', async () => {
    const closing = await openNode(url, prefix)
    const channels = numbers(10).map(drawChannel)
    const [open] = await Promise.all([follow(closing, channels[0] ?? '', { user: 'ann' })])
    const pending = Promise.allSettled(channels.map((channel) => follow(closing, channel, { user: 'ann' })))
    await closing.close()
    open.close()
    for (const { status } of await pending) expect(status).toBe('rejected')
    await expect(follow(closing, drawChannel())).rejects.toThrow('closed')
    expect(closing.subscriber.size).toBe(0)
    expect(closing.size).toEqual({ channels: 0, followers: 0 })
    for (const channel of channels) expect(await other.presence(channel)).toMatchObject({ connections: 0 })
  })
}
