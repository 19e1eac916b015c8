import type { Page, Position, TokenSet } from '@saoma/protocol'
import {
  type Answer,
  type Cluster,
  cursor,
  metricOf,
  publish,
  type RequestOptions,
  request,
  startCluster,
  testApiKey,
  until,
  webToken,
} from '@saoma/testing'
import { failuresOf, nodeAt, roomsOf, untilHeld, upTo } from './fixtures.ts'

let cluster: Cluster
let origin: string
let alice: TokenSet & { user: string }

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2 })
  origin = cluster.origin
  alice = await webToken(origin, 'alice')
})

/** Turn by turn one node and the other, past nginx. */
const gateway = (i: number) => nodeAt(cluster.nodes, i)
const door = (i: number): string => gateway(i).origin
const openRoom = roomsOf('open-poll')

interface Many {
  channels: Page[]
}
interface Query {
  since?: Position
  limit?: number
  wait?: number
}

const pollOne = (at: string, channel: string, { since, limit, wait }: Query = {}, options: RequestOptions = {}) => {
  const query = new URLSearchParams()
  if (since) query.set('epoch', since.epoch)
  if (since) query.set('after', `${since.offset}`)
  if (limit !== undefined) query.set('limit', `${limit}`)
  if (wait !== undefined) query.set('wait', `${wait}`)
  return request<Page>(`${at}/v1/channels/${channel}/messages?${query}`, { bearer: alice.access_token, ...options })
}
const pollMany = (at: string, channels: string[], wait = 0, options: RequestOptions = {}) => {
  const query = new URLSearchParams(channels.map((channel) => ['channel', channel]))
  return request<Many>(`${at}/v1/messages?${query}&wait=${wait}`, { bearer: alice.access_token, ...options })
}

const say = (at: string, channel: string, data: unknown) => publish(at, { channel, event: 'n', data })
const positionOf = async (channel: string): Promise<Position> => {
  const { epoch, offset } = (await pollOne(origin, channel)).body
  return { epoch, offset }
}
const metric = (i: number, name: string): Promise<number> => metricOf(gateway(i), name)
const held = (i: number, count: number) => untilHeld(gateway(i), count)

test('polls on alternating nodes give the exact sequence while a publisher runs', async () => {
  const channel = openRoom()
  let since = await positionOf(channel)
  const total = 300
  const publishing = (async () => {
    for (let i = 0; i < total; i++) await say(door(i), channel, i)
  })()
  const seen: unknown[] = []
  for (let turn = 0; seen.length < total; turn++) {
    const { status, body } = await pollOne(door(turn), channel, { since, wait: 25 })
    expect([status, body.recovered]).toEqual([200, true])
    seen.push(...body.messages.map(({ data }) => data))
    since = { epoch: body.epoch, offset: body.offset }
  }
  await publishing
  expect(seen).toEqual(upTo(total))
})

test('each of 20 polls on their way gets a message published meanwhile, 25 times in a row', async () => {
  for (let round = 0; round < 25; round++) {
    const channel = openRoom()
    const since = await positionOf(channel)
    const polls = Array.from({ length: 20 }, (_, i) => pollOne(door(i), channel, { since, wait: 25 }))
    const [published, ...answers] = await Promise.all([say(door(round), channel, round), ...polls])
    for (const { body } of answers) {
      expect(body.messages.map(({ data }) => data)).toEqual([round])
      expect([body.epoch, body.offset]).toEqual([published.body.epoch, published.body.offset])
    }
  }
})

test('a poll that hears nothing ends on time with the position it came with', async () => {
  const channel = openRoom()
  const since = await positionOf(channel)
  const { status, body, headers } = await pollOne(door(0), channel, { since, wait: 1 })
  expect([status, body]).toEqual([200, { channel, recovered: true, ...since, messages: [] }])
  expect(headers.get('cache-control')).toBe('no-store')
})

test('a poll without a position is answered at once, whatever it would wait', async () => {
  const channel = openRoom()
  await say(origin, channel, 1)
  await say(origin, channel, 2)
  const { body } = await pollOne(door(0), channel, { wait: 25 }, { timeoutMs: 5_000 })
  expect(body).toMatchObject({ recovered: false, offset: 2, messages: [{ data: 1 }, { data: 2 }] })
  expect((await pollOne(door(1), channel, { limit: 1 })).body.messages).toMatchObject([{ data: 2 }])
  const many = await pollMany(door(0), [channel, cursor(openRoom(), await positionOf(channel))], 25, {
    timeoutMs: 5_000,
  })
  expect(many.body.channels).toMatchObject([{ channel, offset: 2, messages: [] }, { reason: 'epoch' }])
})

test('the answer for many channels has each position and the messages of one channel', async () => {
  const channels = [openRoom(), openRoom(), `user:${alice.user}`]
  const positions = await Promise.all(channels.map(positionOf))
  const asked = channels.map((channel, i) => cursor(channel, positions[i] ?? { epoch: '', offset: 0 }))
  const answer = pollMany(door(0), asked, 25)
  await held(0, 1)
  await say(door(1), channels[2] ?? '', 'for you')
  const { body } = await answer
  expect(body.channels).toEqual([
    { channel: channels[0], recovered: true, ...positions[0], messages: [] },
    { channel: channels[1], recovered: true, ...positions[1], messages: [] },
    expect.objectContaining({ channel: channels[2], messages: [expect.objectContaining({ data: 'for you' })] }),
  ])
  expect((await pollMany(door(1), ['@user'])).body.channels).toMatchObject([{ channel: `user:${alice.user}` }])
})

test('pages follow one another to the end as long as they are asked for', async () => {
  const channel = openRoom()
  const beginning = await positionOf(channel)
  const messages = Array.from({ length: 700 }, (_, i) => ({ channel, event: 'n', data: i }))
  for (let i = 0; i < 700; i += 100) await publish(origin, messages.slice(i, i + 100))
  for (const limit of [undefined, 250, 10_000]) {
    const seen: unknown[] = []
    let page: Page | undefined
    do {
      const { epoch, offset } = page ?? beginning
      page = (await pollOne(door(seen.length), channel, { since: { epoch, offset }, ...(limit ? { limit } : {}) })).body
      expect(page.messages.length).toBeLessThanOrEqual(Math.min(limit ?? 300, 300))
      seen.push(...page.messages.map(({ data }) => data))
    } while (page.more)
    expect(seen).toEqual(messages.map(({ data }) => data))
  }
})

test('channels of one request share the bytes of its answer, and each continues', async () => {
  const channels = Array.from({ length: 16 }, openRoom)
  const places = new Map<string, Position>()
  for (const channel of channels) {
    places.set(channel, await positionOf(channel))
    await publish(
      origin,
      Array.from({ length: 20 }, (_, i) => ({ channel, event: 'n', data: [i, 'x'.repeat(4_000)] })),
    )
  }
  const seen = new Map<string, unknown[]>(channels.map((channel) => [channel, []]))
  let behind = channels
  for (let turn = 0; behind.length > 0; turn++) {
    const asked = behind.map((channel) => cursor(channel, places.get(channel) ?? { epoch: '', offset: 0 }))
    const { body } = await pollMany(door(turn), asked, 25, { timeoutMs: 5_000 })
    expect(JSON.stringify(body).length).toBeLessThan(300 * 1024)
    for (const { channel, epoch, offset, messages } of body.channels) {
      places.set(channel, { epoch, offset })
      seen.get(channel)?.push(...messages.map(({ data }) => (data as [number])[0]))
    }
    behind = body.channels.filter(({ more }) => more).map(({ channel }) => channel)
  }
  for (const read of seen.values()) expect(read).toEqual(upTo(20))
})

test('a position that cannot be honoured is reported at once, with its reason', async () => {
  const channel = openRoom()
  for (let i = 0; i < 5; i++) await say(origin, channel, i)
  const { epoch, offset } = await positionOf(channel)
  const trimmed = await request(`${origin}/v1/channels/${channel}/messages?before=4`, {
    method: 'DELETE',
    bearer: testApiKey,
  })
  expect(trimmed).toMatchObject({ status: 200, body: { trimmed: 3 } })
  const ask = (since: Position) => pollOne(origin, channel, { since, wait: 25 }, { timeoutMs: 5_000 })
  expect((await ask({ epoch, offset: 1 })).body).toMatchObject({ recovered: false, reason: 'trimmed', epoch, offset })
  expect((await ask({ epoch, offset: 3 })).body.messages).toMatchObject([{ data: 3 }, { data: 4 }])
  expect((await ask({ epoch: 'another', offset })).body).toMatchObject({ recovered: false, reason: 'epoch' })
})

test('a channel that may not be read refuses the poll at once, and is named', async () => {
  const since = cursor(openRoom(), { epoch: 'e', offset: 1 })
  const answer = await pollMany(origin, [since, 'room:nothing;e;1'], 25, { timeoutMs: 5_000 })
  expect(answer).toMatchObject({ status: 403, body: { code: 'FORBIDDEN', react: 'stop', detail: 'room:nothing' } })
})

test('a client that polls is not present', async () => {
  const channel = openRoom()
  const since = await positionOf(channel)
  const answer = pollOne(door(0), channel, { since, wait: 25 })
  await held(0, 1)
  const presence = await request(`${door(1)}/v1/channels/${channel}/presence`, { bearer: testApiKey })
  expect(presence.body).toMatchObject({ count: 0, users: [], connections: 0 })
  await say(door(1), channel, 1)
  await answer
})

test('a held poll of an ended session hears of the end, and not what was said', async () => {
  const bob = await webToken(origin, 'bob')
  const channel = openRoom()
  const since = await positionOf(channel)
  const answer = pollOne(door(0), channel, { since, wait: 25 }, { bearer: bob.access_token })
  await held(0, 1)
  await request(`${origin}/oidc/token/revocation`, { form: { token: bob.refresh_token ?? '', client_id: 'web' } })
  await say(door(1), channel, 'secret')
  expect(await answer).toMatchObject({ status: 401, body: { code: 'REVOKED', react: 'reauth' } })
})

test('48 clients that leave their polls leave nothing behind', async () => {
  const channels = Array.from({ length: 8 }, openRoom)
  const asked = await Promise.all(channels.map(async (channel) => cursor(channel, await positionOf(channel))))
  const left = new AbortController()
  const polls = Array.from({ length: 48 }, () =>
    pollMany(door(0), asked, 25, { signal: left.signal }).catch((error: unknown) => error),
  )
  await until(
    () => metric(0, 'saoma_followers'),
    (followers) => followers === 48 * 8,
  )
  left.abort()
  await Promise.all(polls)
  await held(0, 0)
  expect(await metric(0, 'saoma_followers')).toBe(0)
  expect(await metric(0, 'saoma_channels')).toBe(0)
})

describe('what is refused', () => {
  test.each([
    ['half a position', 'channels/room:open-1/messages?epoch=e'],
    ['the other half', 'channels/room:open-1/messages?after=1'],
    ['an offset that is no number', 'channels/room:open-1/messages?epoch=e&after=x'],
    ['two offsets', 'channels/room:open-1/messages?epoch=e&after=1&after=2'],
    ['an epoch that cannot be one', 'channels/room:open-1/messages?epoch=e;e&after=1'],
    ['a wait that is no number', 'channels/room:open-1/messages?wait=long'],
    ['a negative limit', 'channels/room:open-1/messages?limit=-1'],
    ['a name that is no channel', 'channels/lobby/messages'],
    ['no channel', 'messages'],
    ['33 channels', `messages?${Array.from({ length: 33 }, (_, i) => `channel=room:open-${i}`).join('&')}`],
    ['a channel twice', 'messages?channel=room:open-1&channel=room:open-1;e;1'],
    ['half a position in a list', 'messages?channel=room:open-1;e'],
    ['too much of a position', 'messages?channel=room:open-1;e;1;2'],
    ['a trim without an offset', 'channels/room:open-1/messages', 'DELETE'],
  ])('%s is refused', async (_, path, method = 'GET') => {
    const answer = await request(`${origin}/v1/${path}`, { method, bearer: alice.access_token })
    expect(answer).toMatchObject({ status: 422, body: { code: 'INVALID', detail: expect.any(String) } })
  })

  test('a person who would trim and a stranger who would read are refused', async () => {
    const trim = await request(`${origin}/v1/channels/room:open-1/messages?before=2`, {
      method: 'DELETE',
      bearer: alice.access_token,
    })
    expect(trim).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } })
    expect(await request(`${origin}/v1/messages?channel=room:open-1`)).toMatchObject({ status: 401 })
    expect(await pollOne(origin, 'user:somebody')).toMatchObject({ status: 403 })
  })
})

// With the same position.
test('a drained node answers the polls it holds, and their clients go on at another', async () => {
  const channel = openRoom()
  const since = await positionOf(channel)
  const answers: Promise<Answer<Page>>[] = Array.from({ length: 5 }, () =>
    pollOne(door(0), channel, { since, wait: 25 }),
  )
  await held(0, 5)
  const stopped = gateway(0).stop()
  for (const { status, body } of await Promise.all(answers))
    expect([status, body]).toMatchObject([200, { recovered: true, ...since, messages: [] }])
  await stopped
  const next = pollOne(origin, channel, { since, wait: 25 })
  await held(1, 1)
  await say(door(1), channel, 'still here')
  expect((await next).body.messages).toMatchObject([{ data: 'still here' }])
})

test('a request for many channels costs an address as much as one request for each', async () => {
  const small = await startCluster({ nodes: 1, env: { SAOMA_LIMIT_REQUESTS: '30' } })
  const bob = await webToken(small.origin, 'bob')
  const channels = Array.from({ length: 32 }, openRoom)
  const ask = (asked: string[], bearer: string) => pollMany(small.origin, asked, 0, { bearer })
  expect(await ask(channels.slice(0, 1), bob.access_token)).toMatchObject({ status: 200 })
  const refused = await ask(channels, bob.access_token)
  expect(refused).toMatchObject({ status: 429, body: { code: 'RATE_LIMITED', react: 'retry' } })
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(await ask(channels.slice(0, 1), bob.access_token)).toMatchObject({ status: 429 })
  // A backend's limit is its key's.
  expect(await ask(channels, testApiKey)).toMatchObject({ status: 200 })
})

test('no node has logged an error after all these tests', () => {
  expect(cluster.nodes.flatMap(failuresOf)).toEqual([])
})
