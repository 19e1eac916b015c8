import { createHash } from 'node:crypto'
import type { Page } from '@saoma/protocol'
import { drawChannel, follow, type Node, numbers, openNode, publishNumbers, value } from './fixtures.ts'

const offsetsOf = (page: Page) => page.messages.map(({ offset }) => offset)
const NOTHING = { messages: [], recovered: false }

/** Rules about publishing and keeping. */
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

  test('[C1] 500 messages published at once by two nodes get distinct offsets without gaps', async () => {
    const channel = drawChannel()
    const published = await Promise.all([
      publishNumbers(node, channel, numbers(250)),
      publishNumbers(other, channel, numbers(250, 251)),
    ])
    const offsets = published.flat().map(({ offset }) => offset ?? 0)
    expect(offsets.sort((a, b) => a - b)).toEqual(numbers(500))
    expect(new Set(published.flat().map(({ epoch }) => epoch)).size).toBe(1)
  })

  test('[C2] of 50 simultaneous repeats one is published', async () => {
    const channel = drawChannel()
    const publication = { channel, event: 'paid', data: { sum: 7 }, from: 'shop', idempotencyKey: 'order 1' }
    const published = await Promise.all(numbers(50).map((i) => (i % 2 ? node : other).publish(publication)))
    const answers = published.map((result) => value(result))
    expect(answers.filter(({ repeated }) => !repeated)).toHaveLength(1)
    expect(new Set(answers.map(({ epoch, offset }) => `${epoch} ${offset}`)).size).toBe(1)
    expect((await node.read(channel)).offset).toBe(1)
  })

  // Without the key, or in another channel, the message is new.
  test('[C2] a key with another message is refused', async () => {
    const [channel, elsewhere] = [drawChannel(), drawChannel()]
    const publication = { channel, event: 'paid', data: 1, idempotencyKey: 'key' }
    value(await node.publish(publication))
    for (const change of [{ data: 2 }, { event: 'unpaid' }])
      expect(await other.publish({ ...publication, ...change })).toEqual({ ok: false, code: 'KEY_REUSED' })
    expect(value(await node.publish({ ...publication, channel: elsewhere }))).toMatchObject({ offset: 1 })
    expect(value(await node.publish({ channel, event: 'paid', data: 1 }))).toMatchObject({ offset: 2 })
    expect(value(await other.publish(publication))).toMatchObject({ offset: 1, repeated: true })
  })

  test('[C31] mayBegin is asked before a channel’s first message and only then', async () => {
    const channel = drawChannel()
    let asked = 0
    const say = (allowed: boolean) => {
      const mayBegin = async () => {
        asked++
        return allowed
          ? { ok: true as const, value: true as const }
          : { ok: false as const, code: 'RATE_LIMITED' as const }
      }
      return node.publish({ channel, event: 'n', data: 1, mayBegin })
    }
    expect(await say(false)).toEqual({ ok: false, code: 'RATE_LIMITED' })
    expect(await data.exists(keys.channelMeta(channel), keys.channelLog(channel))).toBe(0)
    expect(await say(true)).toMatchObject({ ok: true, value: { offset: 1 } })
    expect(await say(false)).toMatchObject({ ok: true, value: { offset: 2 } })
    expect(asked).toBe(2)
  })

  test('[C2] nobody can use up the key of another publisher', async () => {
    const channel = drawChannel()
    const publication = { channel, event: 'paid', data: 1, idempotencyKey: 'order-7-paid' }
    const publishers = [{ from: 'mallory' }, { from: 'null' }, {}, { from: 'ann' }, { from: '' }]
    for (const [i, from] of publishers.entries()) {
      const published = value(await node.publish({ ...publication, ...from }))
      expect(published).toMatchObject({ offset: i + 1 })
      expect(published).not.toHaveProperty('repeated')
    }
    for (const [i, from] of publishers.entries())
      expect(value(await other.publish({ ...publication, ...from }))).toMatchObject({ offset: i + 1, repeated: true })
  })

  test('[C2] Redis holds the hash of a key for ten minutes', async () => {
    const channel = drawChannel()
    value(await node.publish({ channel, event: 'paid', data: 1, idempotencyKey: 'secret key' }))
    const receipt = keys.channelReceipt(channel, createHash('sha256').update('[null,"secret key"]').digest('hex'))
    const left = await data.pttl(receipt)
    expect(left).toBeGreaterThan(590_000)
    expect(left).toBeLessThanOrEqual(600_000)
  })

  test('[C2] a key counts as new after the log was lost', async () => {
    const channel = drawChannel()
    const publication = { channel, event: 'paid', data: 1, idempotencyKey: 'key' }
    const before = value(await node.publish(publication))
    await data.del(keys.channelLog(channel))
    const after = value(await node.publish(publication))
    expect(after).toMatchObject({ offset: 1 })
    expect(after).not.toHaveProperty('repeated')
    expect(after.epoch).not.toBe(before.epoch)
  })

  test('[C3] a volatile message is delivered and not kept', async () => {
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

  test('[C4] an invalid channel name and data that is not JSON are refused', async () => {
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

  test('[C6] [C12] expired messages are not served; the epoch and the offsets go on', async () => {
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

  test('[C6] only expired messages are removed, wherever in the log they end', async () => {
    const hour = 3_600_000
    const short = await openNode(url, prefix, { retention: () => ({ messages: 1_000, ms: hour }) })
    const now = Number((await data.time())[0]) * 1_000
    for (const old of [0, 1, 2, 63, 64, 99, 100]) {
      const channel = drawChannel()
      const [{ epoch = '' } = {}] = await publishNumbers(short, channel, [0])
      const log = keys.channelLog(channel)
      await data.del(log)
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

  test('[C7] trim deletes the messages up to an offset', async () => {
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
}
