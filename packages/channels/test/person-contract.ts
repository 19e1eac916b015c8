import { randomUUID } from 'node:crypto'
import { userChannel } from '@saoma/protocol'
import { endOf } from '../src/end-mark.ts'
import { createTelling, cutSubscriptions, follow, type Node, numbers, openNode, publishNumbers } from './fixtures.ts'

/** Rules about a person's own channel. */
export const personContract = async (url: string, prefix: string, node: Node, other: Node) => {
  const drawUser = () => `user-${randomUUID().slice(0, 8)}`

  test('[C27] the read position only moves forward and never past the newest message', async () => {
    const channel = userChannel(drawUser())
    expect(await node.inbox(channel)).toEqual({ read: 0, unread: 0 })
    await publishNumbers(other, channel, numbers(10))
    expect(await node.inbox(channel)).toEqual({ read: 0, unread: 10 })
    expect(await node.markRead(channel, 4)).toEqual({ read: 4, unread: 6 })
    expect(await other.markRead(channel, 2)).toEqual({ read: 4, unread: 6 })
    expect(await other.markRead(channel, 99)).toEqual({ read: 10, unread: 0 })
    await publishNumbers(other, channel, [11])
    expect(await node.inbox(channel)).toEqual({ read: 10, unread: 1 })
  })

  test('[C27] only messages that are still kept count as unread', async () => {
    const channel = userChannel(drawUser())
    await publishNumbers(other, channel, numbers(10))
    await node.markRead(channel, 2)
    await node.trim(channel, 5)
    expect(await node.inbox(channel)).toEqual({ read: 2, unread: 5 })
    await node.trim(channel, 10)
    expect(await node.inbox(channel)).toEqual({ read: 2, unread: 0 })
  })

  test('[C27] each move of the read position is announced once to the other devices', async () => {
    const channel = userChannel(drawUser())
    const follower = await follow(other, channel)
    await publishNumbers(other, channel, numbers(3))
    await Promise.all(numbers(20).map(() => node.markRead(channel, 2)))
    await node.markRead(channel, 1)
    await node.markRead(channel, 3)
    await follower.signalled(2)
    await publishNumbers(other, channel, [4])
    await follower.count(4)
    expect(follower.signals).toEqual([
      { kind: 'inbox', channel, inbox: { read: 2, unread: 1 } },
      { kind: 'inbox', channel, inbox: { read: 3, unread: 0 } },
    ])
    follower.close()
  })

  test('[C28] the end of one session or of all reaches its watchers on every node', async () => {
    const user = drawUser()
    const ends = createTelling<string>()
    const watches = await Promise.all([
      node.watchEnds(user, (sid) => ends.tell(`node ${sid}`)),
      other.watchEnds(user, (sid) => ends.tell(`other ${sid}`)),
      other.watchEnds(drawUser(), () => ends.tell('somebody else')),
    ])
    expect(node.size).toEqual({ channels: 0, followers: 0 })
    await node.end(user, 'session 1')
    await other.end(user)
    await ends.until(() => ends.all.length >= 4)
    expect(ends.all.sort()).toEqual(['node session 1', 'node undefined', 'other session 1', 'other undefined'])
    for (const watch of watches) {
      watch.close()
      watch.close()
    }
    expect([node.subscriber.size, other.subscriber.size]).toEqual([0, 0])
  })

  test('[C28] a watcher that may have missed an end can read the last one', async () => {
    const user = drawUser()
    expect([await node.lastEnd(user), await node.lastEnd(user, 'one')]).toEqual(['', ''])
    await node.end(user, 'one')
    const [none, one, two] = [
      await other.lastEnd(user),
      await other.lastEnd(user, 'one'),
      await other.lastEnd(user, 'two'),
    ]
    expect([none, two]).toEqual(['', ''])
    expect(one).not.toBe('')
    await other.end(user)
    const after = [await node.lastEnd(user), await node.lastEnd(user, 'one'), await node.lastEnd(user, 'two')]
    expect(after[0]).not.toBe('')
    expect(after[1]).not.toBe(one)
    expect(after[2]).toBe(after[0])
  })

  test('[C28] an end says when it was by the clock of Redis, and the latest of two counts', async () => {
    const user = drawUser()
    const { data } = node.redis
    const clock = async () => Number((await data.time())[0])
    const before = await clock()
    await node.end(user, 'one')
    await other.end(user)
    const told = endOf(await other.lastEnd(user, 'one'))
    expect(told).toBeGreaterThanOrEqual(before)
    expect(told).toBeLessThanOrEqual(await clock())
    expect(endOf('1700000000.a 1600000000.b')).toBe(1_700_000_000)
    // As nodes of an earlier version write it.
    expect(endOf('1700000000.a PV3hMrqXbS4H0')).toBe(Number.POSITIVE_INFINITY)
  })

  test('[C28] an end that is remembered for longer is not forgotten earlier because of another one', async () => {
    const user = drawUser()
    const left = () => node.redis.data.pttl(node.redis.keys.channelEnds(userChannel(user)))
    await node.end(user, 'one')
    expect(await left()).toBeLessThanOrEqual(3_600_000)
    await node.end(user, undefined, { keepMs: 172_800_000 })
    expect(await left()).toBeGreaterThan(172_000_000)
    await other.end(user, 'two')
    expect(await left()).toBeGreaterThan(172_000_000)
  })

  test('[C28] an end that is remembered for longer dates those of a former version, and drops those that are over', async () => {
    const user = drawUser()
    const { data, keys } = node.redis
    const ends = keys.channelEnds(userChannel(user))
    const clock = async () => Number((await data.time())[0])
    await data.hset(ends, { '': 'PV3hMrqXbS4H0', one: 'PV3hMrqXbS4H1', two: '1700000000.a' })
    expect(endOf(await other.lastEnd(user))).toBe(Number.POSITIVE_INFINITY)
    const before = await clock()
    await node.end(user, 'three', { keepMs: 172_800_000 })
    for (const sid of [undefined, 'one', 'three']) {
      const told = endOf(await other.lastEnd(user, sid))
      expect(told).toBeGreaterThanOrEqual(before)
      expect(told).toBeLessThanOrEqual(await clock())
    }
    expect((await data.hkeys(ends)).sort()).toEqual(['', 'one', 'three'])
  })

  test('[C28] an end of all but one spares that one, now and for those who look it up', async () => {
    const user = drawUser()
    const ends = createTelling<unknown>()
    const watch = await node.watchEnds(user, (sid, end) => ends.tell([sid, end]))
    const how = { keep: 'two', code: 'REVOKED', reason: '只留一个。' } as const
    await other.end(user, undefined, how)
    await other.end(user, 'one', { code: 'REPLACED' })
    await ends.until(() => ends.all.length >= 3)
    expect(ends.all).toEqual([
      [undefined, how],
      ['one', { sid: 'one', code: 'REPLACED' }],
      // For nodes that know no more.
      ['one', { sid: 'one' }],
    ])
    const [all, one, two] = [await node.lastEnd(user), await node.lastEnd(user, 'one'), await node.lastEnd(user, 'two')]
    expect(two).toBe('')
    expect([all, one]).not.toContain('')
    await other.end(user, undefined, { keep: 'three' })
    expect(await node.lastEnd(user, 'two')).not.toBe('')
    // What ended it before still counts for a session that is kept later.
    const held = await node.lastEnd(user, 'two')
    await other.end(user, undefined, { keep: 'two' })
    expect(await node.lastEnd(user, 'two')).toBe(held)
    await other.end(user, undefined, { keep: 'two' })
    expect(await node.lastEnd(user, 'two')).toBe(held)
    watch.close()
  })

  test.each(['a b', 'x keep=y', '- y', ' ', '1700000000.a - y', 'line\nline', '\u0000'])(
    '[C28] an end spares the session of this name and none besides: %j',
    async (sid) => {
      const user = drawUser()
      await node.end(user, undefined, { keep: sid })
      expect(await other.lastEnd(user, sid)).toBe('')
      const words = sid.split(/[ =]/).filter((word) => word !== '' && word !== sid)
      for (const word of [...words, `${sid} `, ` ${sid}`, `- ${sid}`]) {
        expect(endOf(await other.lastEnd(user, word))).toBeGreaterThan(1_700_000_000)
      }
      const mark = await other.lastEnd(user)
      await node.end(user, undefined, { keep: 'other' })
      expect(endOf(await other.lastEnd(user, sid))).toBeLessThan(Number.POSITIVE_INFINITY)
      expect(await other.lastEnd(user, 'other')).toBe(mark)
    },
  )

  test('[C28] what is remembered of a person stays bounded with ends that keep a session, and still holds it', async () => {
    const user = drawUser()
    const { data, keys } = node.redis
    const ends = keys.channelEnds(userChannel(user))
    await node.end(user, 'kept')
    const own = await other.lastEnd(user, 'kept')
    for (const i of numbers(20)) await node.end(user, undefined, { keep: `kept ${i}` })
    expect((await data.hkeys(ends)).sort()).toEqual(['', 'kept'])
    expect((await data.hget(ends, ''))?.length).toBeLessThan(100)
    await data.hdel(ends, '')
    await data.hset(ends, Object.fromEntries(numbers(1_000).map((i) => [`s${i}`, '1700000000.a'])))
    await node.end(user, undefined, { keep: 'kept' })
    expect((await data.hkeys(ends)).sort()).toEqual(['', 'kept'])
    expect(await other.lastEnd(user, 'kept')).toContain(own)
  })

  test('[C28] an end right after watchEnds resolves is heard, 200 times', async () => {
    const ends = createTelling<string | undefined>()
    const watches = await Promise.all(
      numbers(200).map(async (i) => {
        const user = drawUser()
        const watch = await node.watchEnds(user, ends.tell)
        await other.end(user, `${i}`)
        return watch
      }),
    )
    await ends.until(() => ends.all.length >= 200)
    expect(new Set(ends.all).size).toBe(200)
    for (const watch of watches) watch.close()
  })

  test('[C28] watching for ends and following the same channel do not end each other', async () => {
    const user = drawUser()
    const channel = userChannel(user)
    const ends = createTelling<string | undefined>()
    const watch = await node.watchEnds(user, ends.tell)
    const follower = await follow(node, channel)
    await publishNumbers(other, channel, [1])
    await follower.count(1)
    follower.close()
    await publishNumbers(other, channel, [2])
    await other.end(user, 'a')
    await ends.until(() => ends.all.length >= 1)
    const again = await follow(node, channel, { since: follower.page })
    watch.close()
    await publishNumbers(other, channel, [3])
    await again.count(1)
    expect(again.data()).toEqual([1, 2, 3])
    again.close()
    expect(node.subscriber.size).toBe(0)
  })

  test('[C28] a watch for ends survives a cut of the subscription', async () => {
    const cut = await openNode(url, prefix)
    const user = drawUser()
    const ends = createTelling<string | undefined>()
    await cut.watchEnds(user, ends.tell)
    // In a Redis Cluster each shard comes back by itself.
    cut.subscriber.on('resubscribed', () => void other.end(user, 'a'))
    await cutSubscriptions(cut.redis)
    await ends.until(() => ends.all.length >= 1)
    expect([...new Set(ends.all)]).toEqual(['a'])
    await cut.close()
  })
}
