import type { Message, Page, Position, Subscribed, TokenSet } from '@saoma/protocol'
import {
  type Cluster,
  connectLive,
  connectWs,
  cursor,
  openEvents,
  publish,
  request,
  startCluster,
  webToken,
} from '@saoma/testing'
import { nodeAt, upTo } from './fixtures.ts'

let cluster: Cluster
let alice: TokenSet & { user: string }

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2 })
  alice = await webToken(cluster.origin, 'alice')
})

const door = (i: number): string => nodeAt(cluster.nodes, i).origin

/** What somebody saw of a channel through one door, from a position on. */
type Visit = (at: string, channel: string, since: Position, least: number) => Promise<readonly Message[]>

const token = () => alice.access_token

const socketOver =
  (transport: 'websocket' | 'polling'): Visit =>
  async (at, channel, since, least) => {
    const client = connectLive(at, { token: token(), transports: [transport] })
    const subscribed = await client.subscribe({ channel, since })
    if (!subscribed.ok || !subscribed.recovered) throw new Error(JSON.stringify(subscribed))
    const seen = [...subscribed.messages]
    while (seen.length < least) seen.push(await client.next('message'))
    client.close()
    return [...seen, ...client.pending('message')]
  }
const socket = socketOver('websocket')
const polling = socketOver('polling')

const plain: Visit = async (at, channel, since, least) => {
  const client = await connectWs(at)
  await client.ask({ op: 'auth', token: token() })
  const page = JSON.parse(String(await client.ask({ op: 'subscribe', channel, since })))
  if (page.recovered !== true) throw new Error(JSON.stringify(page))
  const read = ({ event, name, ...rest }: { event: string; name: string } & Omit<Message, 'event' | 'channel'>) => ({
    ...rest,
    channel: event,
    event: name,
  })
  const seen: Message[] = page.messages.map(read)
  const take = (text: unknown) => {
    const frame = JSON.parse(String(text))
    // Who comes and goes is told as well.
    if (frame.type === undefined) seen.push(read(frame))
  }
  while (seen.length < least) take(await client.next())
  client.close()
  for (const frame of client.pending()) take(frame)
  return seen
}

const longPoll: Visit = async (at, channel, since, least) => {
  const seen: Message[] = []
  for (let at_ = since; seen.length < least; ) {
    const url = `${at}/v1/messages?wait=25&channel=${cursor(channel, at_)}`
    const { body } = await request<{ channels: Page[] }>(url, { bearer: token() })
    const [page] = body.channels
    if (!page?.recovered) throw new Error(JSON.stringify(body))
    seen.push(...page.messages)
    at_ = { epoch: page.epoch, offset: page.offset }
  }
  return seen
}

const stream: Visit = async (at, channel, since, least) => {
  const events = await openEvents(`${at}/v1/messages?channel=${cursor(channel, since)}`, { bearer: token() })
  const { data } = await events.next<Subscribed>('subscribed')
  if (!data.recovered) throw new Error(JSON.stringify(data))
  const seen = [...data.messages]
  while (seen.length < least) seen.push((await events.next<Message>('message')).data)
  events.close()
  return [...seen, ...events.pending('message').map((event) => event.data as Message)]
}

test('a client that switches doors and nodes in mid-stream loses and repeats nothing', async () => {
  const channel = 'room:open-doors'
  const total = 600
  const { body } = await publish(cluster.origin, { channel, event: 'n', data: -1 })
  let since: Position = { epoch: body.epoch ?? '', offset: body.offset ?? 0 }

  const publishing = (async () => {
    for (const data of upTo(total)) await publish(door(data), { channel, event: 'n', data })
  })()
  const visits = [socket, longPoll, stream, plain, polling]
  const seen: Message[] = []
  for (let turn = 0; seen.length < total; turn++) {
    const visit = visits[turn % visits.length] ?? socket
    const least = Math.min(30, total - seen.length)
    const came = await visit(door(turn % 3), channel, since, least)
    seen.push(...came)
    const last = came.at(-1)
    if (last) since = { epoch: last.epoch, offset: last.offset }
  }
  await publishing
  expect(seen.map(({ data }) => data)).toEqual(upTo(total))
  expect(seen.map(({ offset }) => offset)).toEqual(upTo(total).map((n) => n + 2))
  expect(new Set(seen.map((message) => `${message.channel} ${message.event} ${message.epoch}`))).toEqual(
    new Set([`${channel} n ${body.epoch}`]),
  )
})

test('the same message reads the same through every door', async () => {
  const channel = 'room:open-same'
  const { body } = await publish(cluster.origin, { channel, event: 'n', data: null })
  const since = { epoch: body.epoch ?? '', offset: body.offset ?? 0 }
  const sent = { channel, event: 'said', data: { text: '你好 \u2028 "\\" 🀄', list: [1, 0.5, null, {}] } }
  await publish(cluster.origin, sent, token())
  const sights = await Promise.all(
    [socket, polling, plain, longPoll, stream].map((visit, i) => visit(door(i), channel, since, 1)),
  )
  const [first] = sights
  expect(first).toEqual([{ ...sent, from: alice.user, time: expect.any(Number), ...since, offset: since.offset + 1 }])
  for (const sight of sights) expect(sight).toEqual(first)
})
