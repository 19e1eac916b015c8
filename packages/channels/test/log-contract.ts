import { createHash } from 'node:crypto'
import type { Page } from '@saoma/protocol'
import { drawChannel, follow, type Node, numbers, openNode, publishNumbers, value } from './fixtures.ts'

const offsetsOf = (page: Page) => page.messages.map(({ offset }) => offset)
const NOTHING = { messages: [], recovered: false }

/** Rules about publishing, keeping and reading. */
export const logContract = async (url: string, prefix: string, node: Node, other: Node) => {
  const { data, keys } = node.redis
  const start = async (channel: string) => ({ epoch: (await node.read(channel)).epoch, offset: 0 })

  test('[C1] a message is kept as it was published, with its position and the time of Redis', async () => {
    const channel = drawChannel()
    const content = { text: '"quoted", 世界 \u0000 \\ }', list: [1, null, { deep: true }] }
    const before = Number((await data.time())[0]) * 1_000
    const published = value(await node.publish({ channel, event: 'note', data: content, from: 'ann "a"' }))
    expect(published).toEqual({ epoch: expect.stringMatching(/^[A-Za-z0-9_-]{8,32}$/), offset: 1, connections: 0 })
    const { messages } = await other.read(channel, { history: 1 })
    const { epoch } = published
    expect(messages).toEqual([
      { channel, event: 'note', data: content, from: 'ann "a"', time: expect.any(Number), epoch, offset: 1 },
    ])
    expect(messages[0]?.time).toBeGreaterThanOrEqual(before)
    expect(messages[0]?.time).toBeLessThan(before + 30_000)
  })

  test('[C1] of 500 messages published at once by two nodes each gets an offset of its own, without gaps', async () => {
    const channel = drawChannel()
    const published = await Promise.all([
      publishNumbers(node, channel, numbers(250)),
      publishNumbers(other, channel, numbers(250, 251)),
    ])
    const offsets = published.flat().map(({ offset }) => offset ?? 0)
    expect(offsets.sort((a, b) => a - b)).toEqual(numbers(500))
    expect(new Set(published.flat().map(({ epoch }) => epoch)).size).toBe(1)
  })

  test('[C2] of 50 repeats at once one is published', async () => {
    const channel = drawChannel()
    const publication = { channel, event: 'paid', data: { sum: 7 }, from: 'shop', idempotencyKey: 'order 1' }
    const published = await Promise.all(numbers(50).map((i) => (i % 2 ? node : other).publish(publication)))
    const answers = published.map((result) => value(result))
    expect(answers.filter(({ repeated }) => !repeated)).toHaveLength(1)
    expect(new Set(answers.map(({ epoch, offset }) => `${epoch} ${offset}`)).size).toBe(1)
    expect((await node.read(channel)).offset).toBe(1)
  })

  test('[C2] a key with another message is refused; without it, or in another channel, the message is new', async () => {
    const [channel, elsewhere] = [drawChannel(), drawChannel()]
    const publication = { channel, event: 'paid', data: 1, idempotencyKey: 'key' }
    value(await node.publish(publication))
    for (const change of [{ data: 2 }, { event: 'unpaid' }, { from: 'somebody' }])
      expect(await other.publish({ ...publication, ...change })).toEqual({ ok: false, code: 'KEY_REUSED' })
    expect(value(await node.publish({ ...publication, channel: elsewhere }))).toMatchObject({ offset: 1 })
    expect(value(await node.publish({ channel, event: 'paid', data: 1 }))).toMatchObject({ offset: 2 })
    expect(value(await other.publish(publication))).toMatchObject({ offset: 1, repeated: true })
  })

  test('[C2] Redis holds the hash of a key for ten minutes', async () => {
    const channel = drawChannel()
    value(await node.publish({ channel, event: 'paid', data: 1, idempotencyKey: 'secret key' }))
    const receipt = keys.channelReceipt(channel, createHash('sha256').update('secret key').digest('hex'))
    const left = await data.pttl(receipt)
    expect(left).toBeGreaterThan(590_000)
    expect(left).toBeLessThanOrEqual(600_000)
  })

  test('[C2] after a change of the epoch a key is as new', async () => {
    const channel = drawChannel()
    const publication = { channel, event: 'paid', data: 1, idempotencyKey: 'key' }
    const before = value(await node.publish(publication))
    await data.del(keys.channelLog(channel))
    const after = value(await node.publish(publication))
    expect(after).toMatchObject({ offset: 1 })
    expect(after).not.toHaveProperty('repeated')
    expect(after.epoch).not.toBe(before.epoch)
  })

  test('[C3] a volatile message is told and not kept', async () => {
    const channel = drawChannel()
    const follower = await follow(node, channel)
    const publication = { channel, event: 'typing', data: ['ann'], from: 'ann', volatile: true }
    expect(value(await other.publish(publication))).toEqual({ connections: 0 })
    await follower.signalled(1)
    const [signal] = follower.signals
    expect(signal?.kind === 'volatile' && JSON.parse(signal.json)).toEqual({
      channel,
      event: 'typing',
      data: ['ann'],
      from: 'ann',
      time: expect.any(Number),
    })
    expect(await node.read(channel, { history: 10 })).toMatchObject({ ...NOTHING, offset: 0 })
    follower.close()
  })

  test('[C4] a name that is no channel and data that is no JSON are refused', async () => {
    for (const channel of ['', 'room:', 'room:a b', 'room:{a}', 'other:a', 'room:"', `room:${'a'.repeat(129)}`]) {
      await expect(node.publish({ channel, event: 'e', data: 1 })).rejects.toThrow(TypeError)
      await expect(node.read(channel)).rejects.toThrow(TypeError)
      await expect(follow(node, channel)).rejects.toThrow(TypeError)
      await expect(node.trim(channel, 1)).rejects.toThrow(TypeError)
    }
    await expect(node.publish({ channel: drawChannel(), event: 'e', data: undefined })).rejects.toThrow(TypeError)
    expect(node.subscriber.size).toBe(0)
  })

  test('[C5] the newest messages are kept, exactly as many as configured', async () => {
    const short = await openNode(url, prefix, { retention: () => ({ messages: 150, ms: 60_000 }) })
    const channel = drawChannel()
    await publishNumbers(short, channel, numbers(321))
    expect(await data.xlen(keys.channelLog(channel))).toBe(150)
    const { epoch } = await node.read(channel)
    expect(offsetsOf(await node.read(channel, { since: { epoch, offset: 171 } }))).toEqual(numbers(150, 172))
    expect(await node.read(channel, { since: { epoch, offset: 170 } })).toMatchObject({ reason: 'trimmed' })
    await short.close()
  })

  test('[C6] [C12] what has grown old is not served; the epoch and the offsets go on', async () => {
    const short = await openNode(url, prefix, { retention: () => ({ messages: 1_000, ms: 150 }) })
    const channel = drawChannel()
    await publishNumbers(short, channel, numbers(100))
    const { epoch } = await short.read(channel)
    // Long enough that its log would still be there, if it did not grow old.
    await data.persist(keys.channelLog(channel))
    let page = await short.read(channel, { history: 100 })
    for (let reads = 0; page.messages.length > 0 && reads < 20_000; reads++)
      page = await short.read(channel, { history: 100 })
    expect(page).toMatchObject({ ...NOTHING, epoch, offset: 100 })
    expect(await short.read(channel, { since: { epoch, offset: 100 } })).toMatchObject({
      recovered: true,
      messages: [],
    })
    expect(await short.read(channel, { since: { epoch, offset: 99 } })).toMatchObject({ ...NOTHING, reason: 'trimmed' })
    await data.del(keys.channelLog(channel))
    expect(await publishNumbers(short, channel, [101])).toMatchObject([{ epoch, offset: 101 }])
    expect(await short.read(channel, { since: { epoch, offset: 100 } })).toMatchObject({ recovered: true, offset: 101 })
    await short.close()
  })

  test('[C6] only what is too old goes, wherever in the log that ends', async () => {
    const hour = 3_600_000
    const short = await openNode(url, prefix, { retention: () => ({ messages: 1_000, ms: hour }) })
    const now = Number((await data.time())[0]) * 1_000
    for (const old of [0, 1, 2, 63, 64, 99, 100]) {
      const channel = drawChannel()
      const { epoch } = await short.read(channel)
      const log = keys.channelLog(channel)
      for (const offset of numbers(100)) {
        const time = now - (offset <= old ? hour + 60_000 : 0)
        await data.xadd(log, `${offset}-0`, 'm', `"event":"e","data":"\\"time\\":1","time":${time}`)
      }
      await data.hset(keys.channelMeta(channel), 'top', 100)
      expect(await short.read(channel, { since: { epoch, offset: old } })).toMatchObject({ recovered: true })
      if (old > 0) expect(await short.read(channel, { since: { epoch, offset: old - 1 } })).toMatchObject(NOTHING)
      expect(await data.xlen(log)).toBe(100 - old)
      // As publishing does it, without a reader.
      await data.xadd(log, '200-0', 'm', `"event":"e","data":1,"time":${now - 2 * hour}`)
      await data.hset(keys.channelMeta(channel), 'top', 200, 'due', 0)
      await publishNumbers(short, channel, [1])
      expect(await data.xlen(log)).toBe(old === 100 ? 1 : 102 - old)
      // Not looked at again before the oldest that is left is too old.
      if (old < 100) expect(await data.hget(keys.channelMeta(channel), 'due')).toBe(`${now + hour}`)
    }
    await short.close()
  })

  test('[C7] trim forgets up to an offset', async () => {
    const channel = drawChannel()
    await publishNumbers(node, channel, numbers(20))
    expect(await other.trim(channel, 5)).toBe(5)
    expect(await other.trim(channel, 5)).toBe(0)
    expect(offsetsOf(await node.read(channel, { history: 100 }))).toEqual(numbers(15, 6))
    const { epoch } = await start(channel)
    expect(await node.read(channel, { since: { epoch, offset: 4 } })).toMatchObject({ ...NOTHING, reason: 'trimmed' })
    expect(await other.trim(channel, 1_000)).toBe(15)
    expect(await publishNumbers(node, channel, [21])).toMatchObject([{ epoch, offset: 21 }])
  })

  test('[C8] pages follow each other without a gap and end where the log ends', async () => {
    const channel = drawChannel()
    await publishNumbers(node, channel, numbers(750))
    let position = await start(channel)
    const read: number[] = []
    const lengths: number[] = []
    for (let more = true; more; ) {
      const page = await other.read(channel, { since: position })
      expect(page.recovered).toBe(true)
      expect(page.offset).toBe(page.messages.at(-1)?.offset)
      read.push(...offsetsOf(page))
      lengths.push(page.messages.length)
      position = { epoch: page.epoch, offset: page.offset }
      more = page.more ?? false
    }
    expect(lengths).toEqual([300, 300, 150])
    expect(read).toEqual(numbers(750))
    expect(await other.read(channel, { since: position })).toMatchObject({ recovered: true, messages: [], offset: 750 })
    expect(offsetsOf(await other.read(channel, { since: { ...position, offset: 10 }, limit: 7 }))).toEqual(
      numbers(7, 11),
    )
  })

  test('[C8] a page ends at 256 KiB, but not before its first message', async () => {
    const channel = drawChannel()
    for (const size of [100_000, 100_000, 100_000, 400_000, 10])
      value(await node.publish({ channel, event: 'big', data: 'x'.repeat(size) }))
    let position = await start(channel)
    const pages: number[][] = []
    for (let more = true; more; ) {
      const page = await other.read(channel, { since: position })
      pages.push(offsetsOf(page))
      position = { epoch: page.epoch, offset: page.offset }
      more = page.more ?? false
    }
    expect(pages).toEqual([[1, 2], [3], [4], [5]])
    expect(offsetsOf(await other.read(channel, { history: 3 }))).toEqual([5])
  })

  test('[C9] without a position the newest messages are read, as many as asked for', async () => {
    const channel = drawChannel()
    await publishNumbers(node, channel, numbers(130))
    expect(await other.read(channel)).toMatchObject({ ...NOTHING, offset: 130 })
    for (const [history, count] of [
      [1, 1],
      [50, 50],
      [51, 51],
      [100, 100],
      [1_000, 100],
    ] as const) {
      const page = await other.read(channel, { history })
      expect(page).toMatchObject({ recovered: false, offset: 130 })
      expect(page).not.toHaveProperty('reason')
      expect(offsetsOf(page)).toEqual(numbers(count, 131 - count))
    }
  })

  test('[C10] a position of another epoch or ahead of the log is told, and the history given', async () => {
    const channel = drawChannel()
    await publishNumbers(node, channel, numbers(5))
    const { epoch } = await start(channel)
    for (const since of [
      { epoch: 'another', offset: 3 },
      { epoch, offset: 6 },
    ]) {
      const lost = { ...NOTHING, reason: 'epoch', epoch, offset: 5 }
      expect(await other.read(channel, { since })).toMatchObject(lost)
      const page = await other.read(channel, { since, history: 2 })
      expect(page).toMatchObject({ recovered: false, reason: 'epoch', offset: 5 })
      expect(offsetsOf(page)).toEqual([4, 5])
    }
  })

  test('[C11] a channel that was only read has an epoch that stays', async () => {
    const channel = drawChannel()
    const pages = await Promise.all(numbers(20).map((i) => (i % 2 ? node : other).read(channel)))
    const [first] = pages
    for (const page of pages) expect(page).toEqual(first)
    expect(first).toMatchObject({ ...NOTHING, offset: 0 })
    const since = { epoch: first?.epoch ?? '', offset: 0 }
    await publishNumbers(other, channel, numbers(3))
    expect(offsetsOf(await node.read(channel, { since }))).toEqual([1, 2, 3])
  })

  test('[C12] a log that is lost, alone or with all that is known of it, begins another epoch', async () => {
    const lose = [
      (channel: string) => data.del(keys.channelLog(channel)),
      (channel: string) => data.del(keys.channelMeta(channel)),
      (channel: string) => data.del(keys.channelLog(channel), keys.channelMeta(channel)),
    ]
    for (const lost of lose) {
      const channel = drawChannel()
      await publishNumbers(node, channel, numbers(3))
      const { epoch } = await start(channel)
      await lost(channel)
      const page = await other.read(channel, { since: { epoch, offset: 3 }, history: 10 })
      expect(page).toMatchObject({ ...NOTHING, reason: 'epoch', offset: 0 })
      expect(page.epoch).not.toBe(epoch)
      expect(await publishNumbers(node, channel, [1])).toMatchObject([{ epoch: page.epoch, offset: 1 }])
    }
  })
}
