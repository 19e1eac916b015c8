import { randomUUID } from 'node:crypto'
import { RedisUnavailable } from '@saoma/redis'
import type { LogEntry } from '../src/index.ts'
import { createLog } from '../src/log.ts'
import {
  createChance,
  cutSubscriptions,
  drawChannel,
  type Follower,
  follow,
  type Node,
  numbers,
  openNode,
  publishNumbers,
  value,
} from './fixtures.ts'

const HOUR_MS = 3_600_000

/** Rules about what pub/sub or Redis has lost. */
export const faultContract = async (url: string, prefix: string, node: Node, other: Node) => {
  const { data, keys } = node.redis
  const offsetsOf = (heard: readonly LogEntry[]) => heard.map(({ offset }) => offset)

  /** Publishes without telling anybody, as if pub/sub had lost it. */
  const swallow = async (channel: string, count: number) => {
    const lua = `
      redis.call('HSETNX', KEYS[1], 'epoch', ARGV[2])
      for _ = 1, ARGV[1] do
        local offset = redis.call('HINCRBY', KEYS[1], 'top', 1)
        local body = '"event":"number","data":' .. offset .. ',"time":' .. redis.call('TIME')[1] .. '000'
        redis.call('XADD', KEYS[2], offset .. '-0', 'm', body)
      end
      redis.call('PEXPIRE', KEYS[2], 3600000)`
    await data.eval(
      lua,
      2,
      keys.channelMeta(channel),
      keys.channelLog(channel),
      count,
      `swallowed-${randomUUID().slice(0, 8)}`,
    )
    await data.pexpire(keys.channelMeta(channel), 3_600_000)
  }
  /** Takes back the newest messages, as a failover does that loses acknowledged writes. */
  const goBack = async (channel: string, top: number) => {
    const log = keys.channelLog(channel)
    for (const [id] of await data.xrange(log, `${top + 1}-0`, '+')) await data.xdel(log, id)
    await data.call('XSETID', log, `${top}-0`)
    await data.hset(keys.channelMeta(channel), 'top', top)
  }

  /**
   * The same, with others in their places before anybody can look: what they say is their offset and `more`.
   */
  const goBackAndUseAgain = async (channel: string, top: number, count: number, more: number) => {
    const lua = `
      for _, entry in ipairs(redis.call('XRANGE', KEYS[2], ARGV[1] + 1 .. '-0', '+')) do redis.call('XDEL', KEYS[2], entry[1]) end
      redis.call('XSETID', KEYS[2], ARGV[1] .. '-0')
      for offset = ARGV[1] + 1, ARGV[1] + ARGV[2] do
        local body = '"event":"number","data":' .. offset + ARGV[3] .. ',"time":' .. redis.call('TIME')[1] + 60 .. '000'
        redis.call('XADD', KEYS[2], offset .. '-0', 'm', body)
      end
      redis.call('HSET', KEYS[1], 'top', ARGV[1] + ARGV[2])`
    await data.eval(lua, 2, keys.channelMeta(channel), keys.channelLog(channel), top, count, more)
  }

  /** Somebody has heard ten messages on a node that compares all the time. */
  const hearTen = async () => {
    const checking = await openNode(url, prefix, { checkMs: 20 })
    const channel = drawChannel()
    const follower = await follow(checking, channel)
    await publishNumbers(other, channel, numbers(10))
    await follower.count(10)
    const { epoch } = await node.read(channel)
    return { checking, channel, follower, epoch }
  }

  /** Somebody has heard ten messages on a node that compares only when its subscription was away. */
  const hearTenUnchecked = async () => {
    const cut = await openNode(url, prefix, { checkMs: HOUR_MS })
    const channel = drawChannel()
    const follower = await follow(cut, channel)
    await publishNumbers(other, channel, numbers(10))
    await follower.count(10)
    return { cut, channel, follower, epoch: (await node.read(channel)).epoch }
  }

  test('[C18] no message is lost or doubled while subscriptions are cut again and again', async () => {
    const cut = await openNode(url, prefix)
    const channels = numbers(12).map(drawChannel)
    const followers = await Promise.all(channels.map((channel) => follow(cut, channel)))
    const total = 200
    const publishing = Promise.all(
      channels.map(async (channel) => {
        for (let i = 0; i < total; i += 10) await publishNumbers(other, channel, numbers(10, i + 1))
      }),
    )
    for (let i = 0; i < 3; i++) {
      await followers[i]?.count(i * 30 + 1)
      await cutSubscriptions(cut.redis)
    }
    await publishing
    await Promise.all(followers.map((follower) => follower.count(total)))
    for (const follower of followers) expect(follower.data()).toEqual(numbers(total))
    await cut.event(({ kind }) => kind === 'resynced')
    await cut.close()
  })

  test('[C18] a subscription that returns delivers missed messages without waiting for a new one', async () => {
    const cut = await openNode(url, prefix, { checkMs: HOUR_MS })
    const channel = drawChannel()
    const follower = await follow(cut, channel)
    await swallow(channel, 5)
    await cutSubscriptions(cut.redis)
    await follower.count(5)
    expect(follower.data()).toEqual(numbers(5))
    await cut.event((event) => event.kind === 'refilled' && event.channel === channel && event.messages === 5)
    await cut.event(({ kind }) => kind === 'resynced')
    await cut.close()
  })

  test('[C19] the next message makes good a lost one', async () => {
    const channel = drawChannel()
    const follower = await follow(node, channel)
    await publishNumbers(other, channel, [1])
    await swallow(channel, 400)
    await publishNumbers(other, channel, [402])
    await follower.count(402)
    expect(follower.data()).toEqual(numbers(402))
    await node.event((event) => event.kind === 'refilled' && event.channel === channel && event.messages === 401)
    follower.close()
  })

  test('[C19] the check finds a lost message when no other follows it', async () => {
    const [checking, control] = await Promise.all([
      openNode(url, prefix, { checkMs: 20 }),
      openNode(url, prefix, { checkMs: HOUR_MS }),
    ])
    const channel = drawChannel()
    const [checked, unchecked] = [await follow(checking, channel), await follow(control, channel)]
    await swallow(channel, 3)
    await checked.count(3)
    expect(checked.data()).toEqual(numbers(3))
    // Without a check it stays unknown, unless a shard's subscriptions came late and all was compared for
    // that.
    const resynced = control.events.some(({ kind }) => kind === 'resynced')
    const heard = unchecked.data()
    await Promise.all([checking.close(), control.close()])
    expect(heard).toEqual(resynced ? expect.anything() : [])
  })

  test('[C19] the check finds a subscription that is deaf for one channel', async () => {
    const [checking, control] = await Promise.all([
      openNode(url, prefix, { checkMs: 20 }),
      openNode(url, prefix, { checkMs: HOUR_MS }),
    ])
    const channel = drawChannel()
    const [checked, unchecked] = [await follow(checking, channel), await follow(control, channel)]
    for (const { deafen } of [checking, control]) await deafen(keys.channelPubsub(channel))
    await publishNumbers(other, channel, numbers(10))
    await checked.count(10)
    expect(checked.data()).toEqual(numbers(10))
    // Without a check it stays unknown, unless a shard's subscriptions came late and all was compared for
    // that.
    const resynced = control.events.some(({ kind }) => kind === 'resynced')
    const heard = unchecked.data()
    await Promise.all([checking.close(), control.close()])
    expect(heard).toEqual(resynced ? expect.anything() : [])
  })

  test('[C19] constant checks of a busy channel cause no unnecessary reads', async () => {
    const checking = await openNode(url, prefix, { checkMs: 1 })
    const channel = drawChannel()
    const follower = await follow(checking, channel)
    for (let i = 0; i < 500; i += 5) {
      await publishNumbers(other, channel, numbers(5, i + 1))
      await follower.count(i + 5)
    }
    expect(follower.data()).toEqual(numbers(500))
    // After a reconnect, of which a Redis Cluster has some while it connects, there is no waiting.
    const times = (wanted: string) => checking.events.filter(({ kind }) => kind === wanted).length
    expect(times('refilled')).toBeLessThanOrEqual(times('resynced'))
    await checking.close()
  })

  test('[C20] an offset is skipped when the log no longer has what was lost', async () => {
    const channel = drawChannel()
    const followers = [await follow(node, channel), await follow(node, channel)]
    await publishNumbers(other, channel, numbers(2))
    await swallow(channel, 10)
    await other.trim(channel, 8)
    await publishNumbers(other, channel, [13])
    for (const follower of followers) {
      await follower.count(7)
      expect(offsetsOf(follower.heard)).toEqual([1, 2, 9, 10, 11, 12, 13])
      for (const batch of follower.batches)
        expect(offsetsOf(batch)).toEqual(numbers(batch.length, batch[0]?.offset ?? 0))
      follower.close()
    }
    await node.event((event) => event.kind === 'lost' && event.channel === channel)
  })

  test('[C20] followers get the new log from its beginning when the old one was lost', async () => {
    for (const loud of [true, false]) {
      const channel = drawChannel()
      const follower = await follow(node, channel)
      await publishNumbers(other, channel, numbers(5))
      await follower.count(5)
      await data.del(keys.channelLog(channel), keys.channelMeta(channel))
      // Told at once, or found behind others that pub/sub has lost.
      if (!loud) {
        await node.read(channel)
        await swallow(channel, 2)
      }
      const [published] = await publishNumbers(other, channel, [3])
      await follower.count(loud ? 6 : 8)
      expect(offsetsOf(follower.heard)).toEqual([...numbers(5), ...numbers(loud ? 1 : 3)])
      expect(follower.heard.at(-1)?.epoch).toBe(published?.epoch)
      expect(follower.heard[0]?.epoch).not.toBe(published?.epoch)
      await node.event((event) => event.kind === 'lost' && event.channel === channel)
      follower.close()
    }
  })

  test('[C21] a log that went back gets another epoch with the next message, delivered once', async () => {
    const channel = drawChannel()
    const follower = await follow(node, channel)
    await publishNumbers(other, channel, numbers(10))
    await follower.count(10)
    const { epoch } = await node.read(channel)
    await goBack(channel, 7)
    await publishNumbers(other, channel, [108])
    await follower.count(11)
    await publishNumbers(other, channel, [109])
    await follower.count(12)
    expect(follower.data()).toEqual([...numbers(10), 108, 109])
    expect(offsetsOf(follower.heard)).toEqual([...numbers(10), 8, 9])
    const page = await other.read(channel, { since: { epoch, offset: 10 }, history: 100 })
    expect(page).toMatchObject({ recovered: false, reason: 'epoch', offset: 9 })
    expect(page.epoch).not.toBe(epoch)
    expect(follower.heard.at(-1)?.epoch).toBe(page.epoch)
    expect(page.messages.map(({ data }) => data)).toEqual([108, 109])
    const stranger = await other.read(channel, { since: { epoch: 'of another log', offset: 10 }, history: 100 })
    expect(stranger.messages.map(({ data }) => data)).toEqual([...numbers(7), 108, 109])
    follower.close()
  })

  test('[C21] a new message at an offset that was read but never heard is delivered', async () => {
    const channel = drawChannel()
    const follower = await follow(node, channel)
    await publishNumbers(other, channel, numbers(10))
    await follower.count(10)
    const { epoch } = await node.read(channel)
    // 11 shows as a gap, so 11 and 12 are read: from a master that has been replaced and does not know it
    // yet.
    await swallow(channel, 1)
    await publishNumbers(other, channel, [12])
    await follower.count(12)
    await goBack(channel, 11)
    const [again] = await publishNumbers(other, channel, [112])
    expect(again).toMatchObject({ epoch, offset: 12 })
    await publishNumbers(other, channel, [113])
    await follower.count(14)
    expect(follower.data()).toEqual([...numbers(12), 112, 113])
    expect(follower.heard.at(-1)?.epoch).not.toBe(epoch)
    follower.close()
  })

  test('[C21] messages of a replaced master are found behind those of its successor', async () => {
    const { channel, follower, epoch, cut } = await hearTenUnchecked()
    await goBackAndUseAgain(channel, 7, 3, 100)
    await publishNumbers(other, channel, [11])
    await follower.count(11)
    await cutSubscriptions(cut.redis)
    await follower.count(15)
    expect(follower.data()).toEqual([...numbers(11), ...numbers(3, 108), 11])
    expect(follower.heard.at(-1)?.epoch).not.toBe(epoch)
    await cut.close()
  })

  test('[C21] messages of a replaced master are found before a gap is filled', async () => {
    const { channel, follower, epoch, cut } = await hearTenUnchecked()
    await goBackAndUseAgain(channel, 7, 4, 100)
    await publishNumbers(other, channel, [12])
    await follower.count(15)
    expect(follower.data()).toEqual([...numbers(10), ...numbers(4, 108), 12])
    expect(follower.heard.at(-1)?.epoch).not.toBe(epoch)
    await cut.close()
  })

  test('[C21] the check finds messages of a replaced master, whatever arrived since the last check', async () => {
    const checking = await openNode(url, prefix, { checkMs: 300 })
    const channel = drawChannel()
    await publishNumbers(other, channel, numbers(10))
    const follower = await follow(checking, channel, { history: 100 })
    await goBackAndUseAgain(channel, 7, 3, 100)
    await publishNumbers(other, channel, numbers(5, 11))
    await follower.count(13)
    expect(follower.data().slice(-8)).toEqual([...numbers(3, 108), ...numbers(5, 11)])
    await checking.close()
  })

  test('[C21] a page read from a replaced master hides nothing from its reader', async () => {
    for (const already of [false, true])
      for (const request of [{}, { history: 5 }, { since: 10 }, { since: 13 }]) {
        const reading = await openNode(url, prefix, { checkMs: HOUR_MS })
        const channel = drawChannel()
        await publishNumbers(other, channel, numbers(10))
        const { epoch } = await node.read(channel)
        const before = already ? await follow(reading, channel) : undefined
        await swallow(channel, 3)
        const { since, ...rest } = { since: undefined, ...request }
        const follower = await follow(reading, channel, {
          ...rest,
          ...(since ? { since: { epoch, offset: since } } : {}),
        })
        expect(follower.page).toMatchObject({ epoch, offset: 13 })
        await goBack(channel, 10)
        for (const value of numbers(4, 111)) await publishNumbers(other, channel, [value])
        for (const each of before ? [before, follower] : [follower]) {
          while (each.data().at(-1) !== 114) await node.read(channel)
          expect(each.data().slice(-4)).toEqual(numbers(4, 111))
        }
        await reading.close()
      }
  })

  test('[C21] [C32] a node misses nothing when another with less knowledge changes the epoch', async () => {
    const { channel, follower, epoch, cut } = await hearTenUnchecked()
    await goBackAndUseAgain(channel, 7, 3, 100)
    const newest = follower.heard.at(-1)
    const position = { epoch, offset: 10 }
    const log = createLog(node.redis, () => ({ messages: 100, ms: HOUR_MS }))
    await log.rotate(channel, position, [10, newest?.mark ?? 0], 0)
    const page = await other.read(channel, { since: position })
    expect(page.messages.map(({ offset }) => offset)).toEqual([10])
    await publishNumbers(other, channel, [11])
    await follower.count(14)
    expect(follower.data()).toEqual([...numbers(10), ...numbers(3, 108), 11])
    // And whoever comes back with the former epoch has all of it as well.
    expect((await other.read(channel, { since: position })).messages).toHaveLength(4)
    await cut.close()
  })

  test('[C21] the check finds a log that went back before anything is published', async () => {
    const { checking, channel, follower, epoch } = await hearTen()
    await goBack(channel, 7)
    await checking.event((event) => event.kind === 'lost' && event.channel === channel)
    const published = await publishNumbers(other, channel, numbers(5, 101))
    expect(published[0]).toMatchObject({ offset: 8 })
    expect(published[0]?.epoch).not.toBe(epoch)
    await follower.count(15)
    expect(follower.data()).toEqual([...numbers(10), ...numbers(5, 101)])
    await checking.close()
  })

  test('[C21] [C32] a log that went back and reused its offsets unseen is found and read in full', async () => {
    const checking = await openNode(url, prefix, { checkMs: 20 })
    const channel = drawChannel()
    const key = 'of a message that was kept'
    await value(await other.publish({ channel, event: 'number', data: 1, idempotencyKey: key }))
    const follower = await follow(checking, channel)
    await publishNumbers(other, channel, numbers(9, 2))
    await follower.count(9)
    const { epoch } = await node.read(channel)
    await goBackAndUseAgain(channel, 7, 5, 100)
    await follower.count(9 + 5)
    expect(offsetsOf(follower.heard)).toEqual([...numbers(9, 2), ...numbers(5, 8)])
    const [first, again] = [follower.heard[0], follower.heard.at(-1)]
    expect(first?.epoch).toBe(epoch)
    expect(again?.epoch).not.toBe(epoch)
    for (const [offset, rest] of [
      [10, numbers(5, 8)],
      [7, numbers(5, 8)],
      [3, numbers(9, 4)],
    ] as const) {
      const page = await other.read(channel, { since: { epoch, offset } })
      expect(page).toMatchObject({ recovered: false, reason: 'epoch', epoch: again?.epoch, offset: 12 })
      expect(page.messages.map((message) => message.offset)).toEqual(rest)
    }
    const repeated = await other.publish({ channel, event: 'number', data: 1, idempotencyKey: key })
    expect(repeated).toMatchObject({ value: { epoch: again?.epoch, offset: 1, repeated: true } })
    await checking.close()
  })

  test('[C21] messages lost in a failover and published again in place are the same messages', async () => {
    const { checking, channel, follower, epoch } = await hearTen()
    await goBackAndUseAgain(channel, 7, 3, 0)
    await publishNumbers(other, channel, [11])
    await follower.count(11)
    expect(follower.data()).toEqual(numbers(11))
    expect(await node.read(channel)).toMatchObject({ epoch, offset: 11 })
    await checking.close()
  })

  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31))
  test(`[C13] [C18] [C19] random publishes, followers and cuts agree with the log (SEED=${seed})`, async () => {
    const chance = createChance(seed)
    const nodes = await Promise.all(numbers(2).map(() => openNode(url, prefix, { checkMs: 50 })))
    const [first, second] = nodes
    if (!first || !second) throw new Error('two were opened')
    const channels = numbers(4).map(drawChannel)

    /** A client: it follows, lets go and comes back with its position, on either node. */
    const walk = async (channel: string) => {
      const got: number[] = []
      let epoch = ''
      let follower: Follower | undefined
      const collect = () => {
        if (!follower) return
        follower.close()
        got.push(...follower.page.messages.map(({ offset }) => offset), ...offsetsOf(follower.heard))
        epoch = follower.heard.at(-1)?.epoch ?? follower.page.epoch
        follower = undefined
      }
      const come = async () => {
        const since = { epoch: epoch || (await node.read(channel)).epoch, offset: got.length }
        // On a machine that stands still, a cut may outlast the wait for a subscription. A client then tries
        // again with its position.
        follower = await follow(chance.pick([first, second]), channel, { since }).catch((error: unknown) => {
          if (!(error instanceof RedisUnavailable)) throw error
          return undefined
        })
        if (follower?.page.more) collect()
      }
      for (let step = 0; step < 30; step++) {
        const what = chance.below(10)
        if (what < 4) await publishNumbers(chance.pick([node, other]), channel, numbers(chance.below(20) + 1))
        else if (what < 6) collect()
        else if (what < 7) await swallow(channel, 1)
        else if (follower) await node.read(channel)
        else await come()
      }
      collect()
      const top = (await node.read(channel)).offset
      while (got.length < top) {
        await come()
        collect()
      }
      return { got, top }
    }
    // Some stay all the time, and hear everything live.
    const steady = await Promise.all(
      channels.flatMap((channel) => [follow(first, channel), follow(second, channel), follow(other, channel)]),
    )
    const walks = Promise.all(channels.map((channel) => walk(channel)))
    for (let i = 0; i < 4; i++) {
      await publishNumbers(other, channels[0] ?? '', [1])
      await cutSubscriptions(first.redis)
    }
    for (const { got, top } of await walks) expect(got.slice(0, top)).toEqual(numbers(top))
    for (const channel of channels) await publishNumbers(other, channel, [1])
    for (const follower of steady) {
      const { offset } = await node.read(follower.page.channel)
      await follower.count(offset - follower.page.offset)
      expect(offsetsOf(follower.heard)).toEqual(numbers(offset - follower.page.offset, follower.page.offset + 1))
      follower.close()
    }
    await Promise.all(nodes.map((each) => each.close()))
  })

  test('[C20] an error while reading the log is reported and the read repeated', async () => {
    const channel = drawChannel()
    const follower = await follow(node, channel)
    await publishNumbers(other, channel, [1])
    await follower.count(1)
    const log = keys.channelLog(channel)
    // Something else lies where the log was: reading it fails until it is back.
    await data.rename(log, `${log}:away`)
    await data.set(log, 'no stream', 'PX', HOUR_MS)
    await node.redis.pub.spublish(
      keys.channelPubsub(channel),
      `m3 ${(await value(await other.publish({ channel: drawChannel(), event: 'e', data: 1 }))).epoch} "event":"e","data":3,"time":1`,
    )
    await node.event(({ kind }) => kind === 'error')
    await data.rename(`${log}:away`, log)
    await publishNumbers(other, channel, [2])
    await follower.count(2)
    expect(follower.data()).toEqual([1, 2])
    follower.close()
    node.events.splice(0)
  })
}
