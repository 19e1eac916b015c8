import { once } from 'node:events'
import { connect as dial } from 'node:net'
import type { Inbox, Message, Position, PresenceChange, Subscribed, TokenSet } from '@saoma/protocol'
import { type Connection, createKeys } from '@saoma/redis'
import {
  type Cluster,
  cursor,
  type EventStreamClient,
  metricOf,
  onCleanup,
  openEvents,
  publish,
  request,
  startCluster,
  testApiKey,
  until,
  webToken,
} from '@saoma/testing'
import { json, startBusinessServer } from './business-server.ts'
import { failuresOf, nodeAt, openOperator, roomsOf, untilHeld, upTo } from './fixtures.ts'

let cluster: Cluster
let origin: string
let alice: TokenSet & { user: string }

beforeAll(async () => {
  // A token of the business says by itself whose it is, and is good for five seconds.
  const business = await startBusinessServer((res, question) =>
    json({ uid: question.body.token, expiresIn: 5 })(res, question),
  )
  cluster = await startCluster({
    nodes: 2,
    env: { SAOMA_AUTH_URL: business.url, SAOMA_LIMIT_BUFFER_BYTES: '65536' },
  })
  origin = cluster.origin
  alice = await webToken(origin, 'alice')
})

/** Turn by turn one node and the other, past nginx. */
const gateway = (i: number) => nodeAt(cluster.nodes, i)
const door = (i: number): string => gateway(i).origin
const openRoom = roomsOf('open-stream')

const open = (at: string, channels: string[], lastEventId?: string, bearer = alice.access_token) =>
  openEvents(`${at}/v1/messages?${new URLSearchParams(channels.map((channel) => ['channel', channel]))}`, {
    bearer,
    ...(lastEventId === undefined ? {} : { lastEventId }),
  })
const begun = async (at: string, channels: string[], lastEventId?: string, bearer?: string) => {
  const stream = await open(at, channels, lastEventId, bearer)
  const subscribed: Subscribed[] = []
  for (const _ of channels) subscribed.push((await stream.next<Subscribed>('subscribed')).data)
  return { stream, subscribed }
}
const say = (at: string, channel: string, data: unknown) => publish(at, { channel, event: 'n', data })
const sayMany = async (at: string, channel: string, datas: unknown[]) => {
  for (let i = 0; i < datas.length; i += 100)
    await publish(
      at,
      datas.slice(i, i + 100).map((data) => ({ channel, event: 'n', data })),
    )
}
const take = async (stream: EventStreamClient, count: number): Promise<Message[]> => {
  const messages: Message[] = []
  while (messages.length < count) messages.push((await stream.next<Message>('message')).data)
  return messages
}
const datasOf = (messages: readonly Message[]): unknown[] => messages.map(({ data }) => data)

const metric = (i: number, name: string): Promise<number> => metricOf(gateway(i), name)

test('a stream begins with each channel’s page, and each message carries all positions', async () => {
  const [first, second] = [openRoom(), openRoom()]
  await say(origin, first, 'before')
  const stream = await open(door(0), [first, second, '@user'])
  expect([stream.status, stream.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8'])
  expect(stream.headers.get('cache-control')).toBe('no-store')
  const pages = []
  for (let i = 0; i < 3; i++) pages.push((await stream.next<Subscribed>('subscribed')).data)
  expect(pages).toMatchObject([
    { channel: first, recovered: false, offset: 1, messages: [] },
    { channel: second, recovered: false, offset: 0, messages: [] },
    { channel: `user:${alice.user}`, inbox: { read: 0, unread: 0 } },
  ])
  const [p, q, r] = pages as [Subscribed, Subscribed, Subscribed]

  await say(door(1), first, 'live')
  expect(await stream.next('message')).toEqual({
    id: [cursor(first, { ...p, offset: 2 }), cursor(second, q), cursor(r.channel, r)].join(),
    data: { channel: first, event: 'n', data: 'live', time: expect.any(Number), epoch: p.epoch, offset: 2 },
  })
  await say(door(1), second, 'too')
  // The first message of a channel that never had one names its log.
  const { id, data } = await stream.next<Message>('message')
  expect(data).toMatchObject({ channel: second, offset: 1, epoch: expect.not.stringContaining(q.epoch) })
  expect(id).toBe([cursor(first, { ...p, offset: 2 }), cursor(second, data), cursor(r.channel, r)].join())
  stream.close()
})

test('one channel has a stream at its own address, with history on request', async () => {
  const channel = openRoom()
  await sayMany(origin, channel, [1, 2, 3])
  const at = `${origin}/v1/channels/${channel}/messages`
  const fresh = await openEvents(`${at}?limit=2`, { bearer: testApiKey })
  const { data } = await fresh.next<Subscribed>('subscribed')
  expect(datasOf(data.messages)).toEqual([2, 3])
  const resumed = await openEvents(`${at}?epoch=${data.epoch}&after=1`, { bearer: testApiKey })
  expect((await resumed.next<Subscribed>('subscribed')).data).toMatchObject({ recovered: true, offset: 3 })
  fresh.close()
  resumed.close()
})

test('Last-Event-ID continues the exact sequence on the other node, again and again', async () => {
  const [busy, quiet] = [openRoom(), openRoom()]
  const { stream: first, subscribed } = await begun(door(0), [busy, quiet])
  first.close()
  let lastId: string | undefined = subscribed.map((page) => cursor(page.channel, page)).join()
  const total = 250
  const publishing = (async () => {
    for (let i = 0; i < total; i++) await say(door(i), busy, i)
  })()
  const seen: unknown[] = []
  for (let turn = 0; seen.length < total; turn++) {
    // The address says nothing of positions: what the client brings is newer.
    const { stream, subscribed } = await begun(door(turn), [busy, quiet], lastId)
    expect(subscribed.map(({ recovered }) => recovered)).toEqual([true, true])
    const missed = datasOf(subscribed[0]?.messages ?? [])
    const live = Math.max(0, Math.min(40 - missed.length, total - seen.length - missed.length))
    seen.push(...missed, ...datasOf(await take(stream, live)))
    lastId = stream.lastId
    stream.close()
    // What came after the last one that was taken is not known to this client.
    const late = stream.pending('message').map(({ data }) => (data as Message).data)
    seen.push(...late)
  }
  await publishing
  expect(seen).toEqual(upTo(total))
})

test('a reader 700 messages behind gets a page, then the other messages, then live ones', async () => {
  const channel = openRoom()
  const { stream: first, subscribed } = await begun(door(0), [channel])
  first.close()
  await sayMany(door(1), channel, upTo(700))
  const since = cursor(channel, subscribed[0] ?? { epoch: '', offset: 0 })
  const publishing = sayMany(
    door(1),
    channel,
    upTo(200).map((n) => n + 700),
  )
  const { stream, subscribed: again } = await begun(door(0), [since])
  const page = again[0]?.messages ?? []
  expect([again[0]?.more, page.length]).toEqual([true, 300])
  expect(datasOf([...page, ...(await take(stream, 600))])).toEqual(upTo(900))
  await publishing
  stream.close()
})

test('volatile messages, presence and the inbox arrive as they do on a socket', async () => {
  const channel = openRoom()
  const { stream } = await begun(door(0), [channel, '@user'])
  expect((await stream.next<PresenceChange>('presence')).data).toEqual({
    channel,
    event: 'join',
    user: alice.user,
    count: 1,
  })
  const bob = await webToken(origin, 'bob')
  const other = await begun(door(1), [channel], undefined, bob.access_token)
  expect((await stream.next<PresenceChange>('presence')).data).toEqual({
    channel,
    event: 'join',
    user: bob.user,
    count: 2,
  })
  const presence = await request(`${origin}/v1/channels/${channel}/presence`, { bearer: testApiKey })
  expect(presence.body).toEqual({
    channel,
    users: expect.arrayContaining([alice.user, bob.user]),
    count: 2,
    connections: 2,
  })
  other.stream.close()
  expect((await stream.next<PresenceChange>('presence')).data).toEqual({
    channel,
    event: 'leave',
    user: bob.user,
    count: 1,
  })

  await publish(door(1), { channel, event: 'typing', data: 1, volatile: true })
  expect(await stream.next('volatile')).toMatchObject({ id: undefined, data: { channel, event: 'typing', data: 1 } })

  const own = `user:${alice.user}`
  const { body } = await say(door(1), own, 'for you')
  const bell = await request<Inbox>(`${door(1)}/v1/channels/@user/inbox`, { bearer: alice.access_token })
  expect(bell.body.unread).toBeGreaterThan(0)
  const read = { bearer: alice.access_token, json: { offset: body.offset } }
  const marked = await request(`${door(1)}/v1/channels/@user/read`, read)
  expect(marked).toMatchObject({ status: 200, body: { read: body.offset, unread: 0 } })
  expect((await stream.next('inbox')).data).toEqual({ channel: own, read: body.offset, unread: 0 })
  stream.close()
})

test('a channel that may not be read is named in a problem, and no stream begins', async () => {
  const answer = await request(`${origin}/v1/messages?channel=${openRoom()}&channel=room:nothing`, {
    bearer: alice.access_token,
    headers: { accept: 'text/event-stream' },
  })
  expect(answer).toMatchObject({ status: 403, body: { code: 'FORBIDDEN', detail: 'room:nothing' } })
})

test('an ended token and a session ended on another node end the stream with their code', async () => {
  const channel = openRoom()
  const short = await begun(door(0), [channel], undefined, 'carol')
  expect((await short.stream.next('ended')).data).toEqual({ code: 'TOKEN_EXPIRED' })
  await short.stream.ended

  const dora = await webToken(origin, 'dora')
  const [one, two] = [
    await begun(door(0), [channel], undefined, dora.access_token),
    await begun(door(1), [channel], undefined, dora.access_token),
  ]
  const ended = await request(`${origin}/v1/users/${dora.user}/end`, { method: 'POST', bearer: testApiKey })
  expect(ended.status).toBe(202)
  for (const { stream } of [one, two]) {
    expect((await stream.next('ended')).data).toEqual({ code: 'REVOKED' })
    await stream.ended
  }

  const erin = await webToken(origin, 'erin')
  const { stream } = await begun(door(0), [channel], undefined, erin.access_token)
  await request(`${door(1)}/oidc/token/revocation`, { form: { token: erin.refresh_token ?? '', client_id: 'web' } })
  expect((await stream.next('ended')).data).toEqual({ code: 'REVOKED' })
  const late = await request(`${origin}/v1/messages?channel=${channel}`, {
    bearer: erin.access_token,
    headers: { accept: 'text/event-stream' },
  })
  expect(late).toMatchObject({ status: 401, body: { code: 'REVOKED' } })
})

describe('a loss for good during a stream', () => {
  const keys = createKeys('saoma')
  let redis: Connection
  beforeAll(async () => {
    redis = await openOperator(cluster.redis.url)
  })

  test('a log that begins again restarts the channel and gives the reason', async () => {
    const channel = openRoom()
    const { stream } = await begun(door(0), [channel])
    await say(door(1), channel, 'before')
    await take(stream, 1)
    await redis.del(keys.channelMeta(channel), keys.channelLog(channel))
    const { body } = await say(door(1), channel, 'after')
    const { data, id } = await stream.next<Subscribed>('subscribed')
    expect(data).toMatchObject({ channel, recovered: false, reason: 'epoch', epoch: body.epoch, offset: 1 })
    expect(id).toBe(cursor(channel, data))
    await say(door(1), channel, 'then')
    expect((await take(stream, 1))[0]).toMatchObject({ data: 'then', epoch: body.epoch, offset: 2 })
    stream.close()
  })

  test('a hole that the log cannot fill restarts the channel as well', async () => {
    const channel = openRoom()
    const { stream } = await begun(door(0), [channel])
    await say(door(1), channel, 1)
    await take(stream, 1)
    // Three messages that this node never heard of and that nobody has any more.
    await redis.hincrby(keys.channelMeta(channel), 'top', 3)
    await redis.xtrim(keys.channelLog(channel), 'MAXLEN', 0)
    const { body } = await say(door(1), channel, 5)
    expect(body.offset).toBe(5)
    const { data } = await stream.next<Subscribed>('subscribed')
    expect(data).toMatchObject({ recovered: false, reason: 'trimmed', offset: 5, messages: [] })
    await say(door(1), channel, 6)
    expect(datasOf(await take(stream, 1))).toEqual([6])
    stream.close()
  })
})

// The others feel nothing.
test('a reader that does not read is cut off, and continues where it was', async () => {
  const channel = openRoom()
  const { stream, subscribed } = await begun(door(0), [channel])
  const deaf = dial(gateway(0).port, '127.0.0.1')
  onCleanup(() => deaf.destroy())
  deaf.on('error', () => {})
  deaf.write(
    `GET /v1/messages?channel=${channel} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n` +
      `Authorization: Bearer ${alice.access_token}\r\n\r\n`,
  )
  await once(deaf, 'data')
  deaf.pause()
  const closed = new Promise((resolve) => deaf.once('close', resolve))

  const total = 450
  const data = 'x'.repeat(32_000)
  for (let sent = 0; sent < total; sent += 30)
    await publish(
      door(1),
      upTo(30).map(() => ({ channel, event: 'n', data })),
    )
  expect((await take(stream, total)).map(({ offset }) => offset)).toEqual(upTo(total).map((n) => n + 1))
  expect(await metric(0, 'saoma_slow_consumer_closed_total')).toBe(1)
  deaf.resume()
  await closed
  stream.close()

  const first: Position = subscribed[0] ?? { epoch: '', offset: 0 }
  const back = await begun(door(1), [cursor(channel, first)])
  const page = back.subscribed[0]?.messages ?? []
  expect(page.length + (await take(back.stream, total - page.length)).length).toBe(total)
  back.stream.close()
})

// 48 leave open streams, and 48 leave while their streams begin.
test('clients that leave their streams at any moment leave nothing behind', async () => {
  const channels = upTo(4).map(openRoom)
  const streams: EventStreamClient[] = []
  // Not all at once: a busy machine would end those that wait too long for Redis.
  while (streams.length < 48)
    streams.push(...(await Promise.all(upTo(12).map(() => begun(door(0), channels)))).map(({ stream }) => stream))
  await until(
    () => metric(0, 'saoma_followers'),
    (followers) => followers === 48 * 4,
  )
  for (const stream of streams) stream.close()
  await Promise.all(streams.map(({ ended }) => ended))
  const url = `${door(0)}/v1/messages?${channels.map((channel) => `channel=${channel}`).join('&')}`
  const headers = { accept: 'text/event-stream', authorization: `Bearer ${alice.access_token}` }
  const leave = (afterMs: number) =>
    fetch(url, { headers, signal: AbortSignal.timeout(afterMs) })
      .then((answer) => answer.text())
      .catch(() => {})
  await Promise.all(upTo(48).map(leave))
  await untilHeld(gateway(0), 0)
  expect(await metric(0, 'saoma_followers')).toBe(0)
  expect(await metric(0, 'saoma_channels')).toBe(0)
  const presence = () =>
    request<{ count: number }>(`${door(1)}/v1/channels/${channels[0]}/presence`, { bearer: testApiKey })
  await until(presence, ({ body }) => body.count === 0)
})

test.each([
  ['an id that is none', 'nonsense'],
  ['half a position', 'room:open-1;e'],
  ['an offset that is no number', 'room:open-1;e;x'],
])('a Last-Event-ID with %s is refused', async (_, lastEventId) => {
  const answer = await request(`${origin}/v1/messages?channel=room:open-1`, {
    bearer: alice.access_token,
    headers: { accept: 'text/event-stream', 'last-event-id': lastEventId },
  })
  expect(answer).toMatchObject({ status: 422, body: { code: 'INVALID' } })
})

test('a HEAD request for a stream is not held', async () => {
  const answer = await fetch(`${origin}/v1/messages?channel=${openRoom()}`, {
    method: 'HEAD',
    headers: { authorization: `Bearer ${alice.access_token}`, accept: 'text/event-stream' },
    signal: AbortSignal.timeout(5_000),
  })
  expect(answer.status).toBe(200)
})

test('a drained node ends its streams silently, and they continue at the other node', async () => {
  const channel = openRoom()
  const { stream } = await begun(door(0), [channel])
  await say(door(1), channel, 1)
  await take(stream, 1)
  const stopped = gateway(0).stop()
  await stream.ended
  expect(stream.pending('ended')).toEqual([])
  await say(door(1), channel, 2)
  const { subscribed } = await begun(origin, [channel], stream.lastId)
  expect(subscribed).toMatchObject([{ recovered: true, messages: [{ data: 2 }] }])
  await stopped
})

test('no node has logged an error after all these tests', () => {
  expect(cluster.nodes.flatMap(failuresOf)).toEqual([])
})
