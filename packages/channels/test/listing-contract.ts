import type { ChannelSummary, ListPlace } from '../src/index.ts'
import { drawChannel, follow, type Node, numbers, presenceOf, publishNumbers } from './fixtures.ts'

/** All pages of a list. `between` runs after each of them. */
export const listAll = async (
  { list }: Pick<Node, 'list'>,
  request: { begin?: string; limit: number },
  between: (page: number, found: readonly ChannelSummary[][], next?: ListPlace) => unknown = () => {},
): Promise<ChannelSummary[][]> => {
  const pages: ChannelSummary[][] = []
  for (let place: ListPlace | undefined, more = true; more; ) {
    const page = await list({ ...request, ...(place ? { place } : {}) })
    pages.push(page.channels)
    await between(pages.length, pages, page.next)
    // As it travels.
    place = page.next && JSON.parse(JSON.stringify(page.next))
    more = place !== undefined
  }
  return pages
}
const namesIn = (pages: readonly ChannelSummary[][]) => pages.flat().map(({ channel }) => channel)

/** Rules for operators. */
export const listingContract = async (node: Node, other: Node) => {
  const { data, keys } = node.redis

  test('[C33] browsing goes from the oldest message to the newest, over what is trimmed and lost meanwhile', async () => {
    const channel = drawChannel()
    expect(await node.browse(channel, { limit: 3 })).toBeUndefined()
    expect(await data.exists(keys.channelMeta(channel))).toBe(0)
    await publishNumbers(node, channel, numbers(10))
    const offsets = async (request: Parameters<Node['browse']>[1]) =>
      (await other.browse(channel, request))?.messages.map(({ offset }) => offset)
    expect(await offsets({ limit: 3 })).toEqual([1, 2, 3])
    const first = await node.browse(channel, { limit: 3 })
    if (!first) throw new Error('there are messages')
    expect(first).toMatchObject({ offset: 3, more: true })
    await node.trim(channel, 6)
    await publishNumbers(node, channel, [11])
    expect(await offsets({ since: first, limit: 3 })).toEqual([7, 8, 9])
    expect(await offsets({ after: 9, limit: 3 })).toEqual([10, 11])
    expect(await offsets({ since: { ...first, offset: 11 }, limit: 3 })).toEqual([])
    // Above the newest there is nothing. It is no loss of the log.
    for (const after of [11, 12, 1e9]) expect([after, await offsets({ after, limit: 3 })]).toEqual([after, []])
    // The log is lost, and another one begins.
    await data.del(keys.channelLog(channel))
    await publishNumbers(node, channel, numbers(4))
    expect(await offsets({ since: { ...first, offset: 9 }, limit: 3 })).toEqual([1, 2, 3])
  })

  test('[C34] a summary tells what there is, and begins nothing', async () => {
    const channel = drawChannel()
    const nothing = { channel, offset: 0, messages: 0, connections: 0, people: 0 }
    expect(await node.summary(channel)).toEqual(nothing)
    expect(await node.memory(channel)).toBe(0)
    expect(await data.exists(keys.channelMeta(channel))).toBe(0)
    const [published] = await publishNumbers(node, channel, numbers(10))
    const followers = [await follow(node, channel, { user: 'ann' }), await follow(other, channel, { user: 'ann' })]
    await presenceOf(node, channel, 2)
    const { epoch } = published ?? {}
    const all = { channel, epoch, offset: 10, oldest: 1, messages: 10, connections: 2, people: 1 }
    expect(await other.summary(channel)).toEqual(all)
    expect(await node.memory(channel)).toBeGreaterThan(100)
    await node.trim(channel, 4)
    expect(await other.summary(channel)).toEqual({ ...all, oldest: 5, messages: 6 })
    await node.trim(channel, 10)
    const { oldest: _, ...empty } = { ...all, messages: 0 }
    expect(await other.summary(channel)).toEqual(empty)
    for (const follower of followers) follower.close()
  })

  test('[C35] the pages of a list have each channel that is there all the time, whatever comes and goes', async () => {
    const begin = `${drawChannel()}-`
    const there = numbers(60).map((i) => `${begin}there-${i}`)
    for (const channel of there) await publishNumbers(node, channel, [1])
    const gone = numbers(20).map((i) => `${begin}gone-${i}`)
    for (const channel of gone) await publishNumbers(node, channel, [1])
    const pages = await listAll(other, { begin, limit: 7 }, async (page) => {
      await publishNumbers(node, `${begin}new-${page}`, [1])
      await node.trim(there[page % there.length] ?? '', 1)
      const one = gone.pop()
      if (one) for (const key of [keys.channelMeta(one), keys.channelLog(one)]) await data.del(key)
    })
    for (const page of pages) expect(page.length).toBeLessThanOrEqual(7)
    const names = namesIn(pages)
    expect(names.filter((name) => there.includes(name)).sort()).toEqual([...there].sort())
    expect(names.every((name) => name.startsWith(begin))).toBe(true)
    expect(pages.flat().every(({ epoch, offset }) => epoch !== undefined && offset === 1)).toBe(true)
    // Longer than everything, and one by one.
    const whole = namesIn(await listAll(other, { begin: `${begin}there-`, limit: 500 }))
    expect(whole.sort()).toEqual([...there].sort())
    expect(namesIn(await listAll(other, { begin: `${begin}there-1`, limit: 1 })).sort()).toEqual(
      there.filter((name) => name.startsWith(`${begin}there-1`)).sort(),
    )
    // A star is no star.
    expect(namesIn(await listAll(other, { begin: 'room:*', limit: 500 }))).toEqual([])
  })
}
