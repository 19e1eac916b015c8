import type { Page } from '@saoma/protocol'
import { monitorOf, onCleanup } from '@saoma/testing'
import type { ReadRequest } from '../src/index.ts'
import { createTelling, drawChannel, type Node, numbers, publishNumbers, serversOf, value } from './fixtures.ts'

const offsetsOf = (page: Page) => page.messages.map(({ offset }) => offset)
const NOTHING = { messages: [], recovered: false }

/** Rules about reading. */
export const readContract = async (node: Node, other: Node) => {
  const { data, keys } = node.redis
  const start = async (channel: string) => ({ epoch: (await node.read(channel)).epoch, offset: 0 })

  test('[C8] pages follow each other without a gap and stop at the end of the log', async () => {
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

  test('[C8] a page ends at 256 KiB but not before its first message', async () => {
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

  test('[C8] [C9] a page is as long as any message sizes and limits allow', async () => {
    const channel = drawChannel()
    const sizes = numbers(160).map((i) => (i % 37 === 0 ? 30_000 : i < 60 ? 10 : (i * 977) % 3_000))
    for (const size of sizes) value(await node.publish({ channel, event: 'n', data: 'x'.repeat(size) }))
    const { epoch } = await start(channel)
    const bytes = sizes.map((size) => `"event":"n","data":"","time":1700000000000`.length + size)
    const fitting = (of: readonly number[], limit: number, mostBytes: number) => {
      let count = 0
      for (let sum = 0; count < Math.min(of.length, limit); count++) {
        sum += of[count] ?? 0
        if (count > 0 && sum > mostBytes) break
      }
      return count
    }
    for (const offset of [0, 30, 55, 110, 159, 160])
      for (const limit of [1, 8, 9, 70, 300])
        for (const mostBytes of [1, 900, 20_000, 256 * 1024]) {
          const page = await other.read(channel, { since: { epoch, offset }, limit, mostBytes })
          const count = fitting(bytes.slice(offset), limit, mostBytes)
          expect(offsetsOf(page)).toEqual(numbers(count, offset + 1))
          expect([page.offset, page.more ?? false]).toEqual([offset + count, offset + count < 160])
          const newest = fitting(bytes.toReversed().slice(0, 100), limit, mostBytes)
          const fresh = await other.read(channel, { history: 100, limit, mostBytes })
          expect(offsetsOf(fresh)).toEqual(numbers(newest, 161 - newest))
        }
  })

  test('[C8] [C9] a page of large messages costs Redis little more than its content', async () => {
    const channel = drawChannel()
    const log = keys.channelLog(channel)
    for (const i of numbers(40)) value(await node.publish({ channel, event: 'n', data: `${i}`.padEnd(32_000) }))
    const { epoch } = await start(channel)
    const servers = serversOf(node.redis)
    const commands = createTelling<string[]>()
    const monitors: typeof servers = []
    for (const server of servers) {
      const monitor = await monitorOf(server)
      onCleanup(() => monitor.disconnect())
      monitors.push(monitor)
      monitor.on('monitor', (_: string, command: string[]) => commands.tell(command))
    }
    const since = { epoch, offset: 3 }
    const requests: ReadRequest[] = [
      { since },
      { since, limit: 1 },
      { since, mostBytes: 1 },
      { since, mostBytes: 8_192 },
      { history: 100 },
      { history: 1 },
    ]
    for (const request of requests) {
      commands.all.splice(0)
      const { messages } = await node.read(channel, request)
      // What Redis says to a monitor comes in the order of what it does.
      const mark = drawChannel()
      for (const server of servers) await server.echo(mark)
      const said = () => commands.all.filter((command) => command.includes(mark)).length
      await commands.until(() => said() === servers.length)
      const counts = commands.all
        .filter(([verb = '', key]) => /^X(REV)?RANGE$/i.test(verb) && key === log)
        .map((command) => Number(command.at(-1)))
      expect(messages.length).toBeGreaterThan(0)
      expect(counts.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(messages.length + 9)
      // The first look is for what is too old.
      if (request.limit === 1 || request.mostBytes === 1 || request.history === 1) expect(counts).toEqual([1, 1])
    }
    // They would hear of everything that the other tests do.
    for (const monitor of monitors) monitor.disconnect()
  })

  test('[C9] reading without a position gives as many of the newest messages as asked for', async () => {
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

  test('[C10] a position of another epoch or ahead of the log is reported, with the history', async () => {
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

  const NONE = /^none-\d{13}$/
  const atNone = (ms: number) => ({ epoch: `none-${ms}`, offset: 0 })

  test('[C11] an empty channel has a momentary epoch, and its first message follows any such', async () => {
    const channel = drawChannel()
    const pages = await Promise.all(numbers(20).map((i) => (i % 2 ? node : other).read(channel)))
    for (const page of pages) {
      expect(page).toMatchObject({ ...NOTHING, offset: 0, epoch: expect.stringMatching(NONE) })
      const { epoch, offset } = page
      const again = await other.read(channel, { since: { epoch, offset } })
      expect(again).toMatchObject({ recovered: true, messages: [], epoch, offset: 0 })
    }
    await publishNumbers(other, channel, numbers(3))
    for (const { epoch, offset } of pages) {
      const page = await node.read(channel, { since: { epoch, offset } })
      expect(page).toMatchObject({ recovered: true, offset: 3, epoch: expect.not.stringMatching(NONE) })
      expect(offsetsOf(page)).toEqual([1, 2, 3])
    }
    // As a client that keeps the epoch of its page and counts on.
    const counted = { epoch: pages[0]?.epoch ?? '', offset: 2 }
    expect(offsetsOf(await node.read(channel, { since: counted }))).toEqual([3])
    expect(await node.read(channel, { since: { ...counted, offset: 4 } })).toMatchObject({ reason: 'epoch' })
    await node.trim(channel, 1)
    const [first] = pages
    const since = { epoch: first?.epoch ?? '', offset: 0 }
    expect(await node.read(channel, { since })).toMatchObject({ ...NOTHING, reason: 'trimmed', offset: 3 })
  })

  // Cases: another log began in between, a month went by, the position never existed.
  test('[C11] a reader that saw the channel empty is never told half a history', async () => {
    const channel = drawChannel()
    const { epoch } = await node.read(channel)
    const lost = { ...NOTHING, reason: 'epoch' }
    const days = (count: number) => atNone(Date.now() - count * 86_400_000)
    for (const since of [
      days(31),
      days(-1),
      { epoch, offset: 1 },
      { epoch: 'none-', offset: 0 },
      { epoch: 'none-1e3', offset: 0 },
    ])
      expect(await node.read(channel, { since })).toMatchObject(lost)
    const [young, old] = [days(0.9), days(29)]
    expect(await node.read(channel, { since: young })).toMatchObject({ recovered: true, ...young })
    const renewed = await node.read(channel, { since: old })
    expect(renewed).toMatchObject({ recovered: true, offset: 0, epoch: expect.stringMatching(NONE) })
    expect(renewed.epoch > young.epoch).toBe(true)

    await publishNumbers(other, channel, numbers(3))
    await data.del(keys.channelLog(channel))
    await publishNumbers(other, channel, numbers(2))
    expect(await node.read(channel, { since: { epoch, offset: 0 }, history: 10 })).toMatchObject({
      ...lost,
      messages: [{ offset: 1 }, { offset: 2 }],
    })
  })

  test('[C12] a log that is lost, alone or with its metadata, begins another epoch', async () => {
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
      expect(await publishNumbers(node, channel, [1])).toMatchObject([
        { epoch: expect.not.stringMatching(epoch), offset: 1 },
      ])
      const { recovered, messages } = await other.read(channel, { since: { epoch: page.epoch, offset: 0 } })
      expect({ recovered, messages }).toMatchObject({ recovered: true, messages: [{ data: 1 }] })
    }
  })
}
