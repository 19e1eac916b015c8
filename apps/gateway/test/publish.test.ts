import { once } from 'node:events'
import { connect } from 'node:net'
import type { Page, Published, Refusal, TokenSet } from '@saoma/protocol'
import {
  type Cluster,
  narrowApiKey,
  openEvents,
  publish,
  type RequestOptions,
  request,
  startCluster,
  testApiKey,
  webToken,
} from '@saoma/testing'
import fc from 'fast-check'
import { failuresOf, nodeAt, roomsOf, upTo } from './fixtures.ts'

let cluster: Cluster
let origin: string
let alice: TokenSet & { user: string }

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2, env: { LOG_LEVEL: 'debug' } })
  origin = cluster.origin
  alice = await webToken(origin, 'alice')
})

/** Turn by turn one node and the other, past nginx. */
const door = (i: number): string => nodeAt(cluster.nodes, i).origin
const openRoom = roomsOf('open-publish')

type Outcome = ({ ok: true } & Published) | Refusal
const read = async (channel: string): Promise<Page> =>
  (await request<Page>(`${origin}/v1/channels/${channel}/messages`, { bearer: testApiKey })).body
const datas = async (channel: string): Promise<unknown[]> => (await read(channel)).messages.map(({ data }) => data)

test('a publication is answered with its position, and is in the log from then on', async () => {
  const channel = openRoom()
  const answer = await publish(origin, { channel, event: 'said', data: { text: 'hi' } })
  const { epoch } = await read(channel)
  expect(answer).toMatchObject({ status: 200, body: { epoch, offset: 1, connections: 0 } })
  expect(answer.headers.get('cache-control')).toBe('no-store')
  expect(answer.headers.get('x-saoma-node')).toMatch(/^[ab]$/)
  expect((await read(channel)).messages).toEqual([
    { channel, event: 'said', data: { text: 'hi' }, time: expect.any(Number), epoch, offset: 1 },
  ])
})

test('a person publishes where a rule allows it, and the server names the sender', async () => {
  const channel = openRoom()
  const sent = { channel, event: 'said', data: 1, from: 'somebody else' }
  expect(await publish(origin, sent, alice.access_token)).toMatchObject({ status: 200, body: { offset: 1 } })
  expect((await read(channel)).messages).toMatchObject([{ from: alice.user }])
})

test('50 repeats with one idempotency key over both nodes make one message and one answer', async () => {
  const channel = openRoom()
  const sent = { channel, event: 'paid', data: { order: 7 }, idempotencyKey: 'order 7' }
  const answers = await Promise.all(upTo(50).map((i) => publish(door(i), sent)))
  const { epoch, messages } = await read(channel)
  expect(messages).toHaveLength(1)
  for (const { status, body } of answers) expect([status, body]).toMatchObject([200, { epoch, offset: 1 }])
  expect(answers.filter(({ body }) => body.repeated)).toHaveLength(49)
  expect(await publish(origin, { ...sent, data: { order: 8 } })).toMatchObject({
    status: 409,
    body: { code: 'KEY_REUSED', react: 'stop' },
  })
})

test('a volatile message reaches the followers and is not kept', async () => {
  const channel = openRoom()
  const stream = await openEvents(`${door(0)}/v1/channels/${channel}/messages`, { bearer: alice.access_token })
  await stream.next('subscribed')
  const sent = { channel, event: 'typing', data: 'h', volatile: true }
  expect(await publish(door(1), sent)).toMatchObject({ status: 200, body: { connections: 1 } })
  expect((await stream.next('volatile')).data).toEqual({
    channel,
    event: 'typing',
    data: 'h',
    time: expect.any(Number),
  })
  expect(await read(channel)).toMatchObject({ offset: 0, messages: [] })
  stream.close()
})

describe('many messages in one call', () => {
  test('an array publishes each channel in the given order, and is answered in that order', async () => {
    const channels = [openRoom(), openRoom(), openRoom()]
    const sent = upTo(99).map((i) => ({ channel: channels[i % 3], event: 'n', data: i }))
    const answer = await publish<Outcome[]>(origin, sent)
    expect(answer.status).toBe(200)
    answer.body.forEach((outcome, i) => {
      expect(outcome).toMatchObject({ ok: true, offset: Math.floor(i / 3) + 1 })
    })
    for (const [i, channel] of channels.entries()) {
      expect(await datas(channel)).toEqual(upTo(33).map((n) => n * 3 + i))
    }
  })

  test('an array gives each message its own outcome', async () => {
    const channel = openRoom()
    const good = { channel, event: 'n', data: 1 }
    const sent = [
      good,
      { ...good, channel: 'room' },
      'nonsense',
      { ...good, data: 'x'.repeat(40_000) },
      { ...good, channel: '@user' },
      good,
    ]
    const { body } = await publish<Outcome[]>(origin, sent)
    expect(body.map((outcome) => (outcome.ok ? outcome.offset : outcome.code))).toEqual([
      1,
      'INVALID',
      'INVALID',
      'TOO_LARGE',
      'INVALID',
      2,
    ])
    expect(body[1]).toEqual({ ok: false, code: 'INVALID', message: expect.any(String), react: 'stop' })
    expect(body[4]).toEqual(body[1])
  })

  test('an array of nothing publishes nothing, and one of 101 is refused as a whole', async () => {
    expect(await publish<Outcome[]>(origin, [])).toMatchObject({ status: 200, body: [] })
    const channel = openRoom()
    const answer = await publish(
      origin,
      upTo(101).map((data) => ({ channel, event: 'n', data })),
    )
    expect(answer).toMatchObject({ status: 422, body: { code: 'INVALID', detail: 'more than 100 messages' } })
    expect(await datas(channel)).toEqual([])
  })
})

describe('what is refused', () => {
  const good = { channel: 'room:open-refused', event: 'e', data: 1 }

  test.each<[string, unknown, string]>([
    ['null', null, 'a message is an object with channel, event and data'],
    ['a text', 'hi', 'a message is an object with channel, event and data'],
    ['nothing in it', {}, 'missing or not well formed: channel, event, data'],
    ['no data', { ...good, data: undefined }, 'missing or not well formed: data'],
    ['a name that is no channel', { ...good, channel: 'lobby' }, 'missing or not well formed: channel'],
    ['a channel with a slash', { ...good, channel: 'room:a/b' }, 'missing or not well formed: channel'],
    [
      'a channel that is too long',
      { ...good, channel: `room:${'a'.repeat(129)}` },
      'missing or not well formed: channel',
    ],
    ['a channel list', { ...good, channel: ['room:a'] }, 'missing or not well formed: channel'],
    ['an empty event', { ...good, event: '' }, 'missing or not well formed: event'],
    ['an event with a line break', { ...good, event: 'a\nb' }, 'missing or not well formed: event'],
    ['an event that is a number', { ...good, event: 1 }, 'missing or not well formed: event'],
    ['an empty key', { ...good, idempotencyKey: '' }, 'missing or not well formed: idempotencyKey'],
    ['a long key', { ...good, idempotencyKey: 'k'.repeat(129) }, 'missing or not well formed: idempotencyKey'],
    ['volatile in words', { ...good, volatile: 'yes' }, 'missing or not well formed: volatile'],
    ['several at once', { channel: 1, event: 2 }, 'missing or not well formed: channel, event, data'],
    ['a backend’s own channel', { ...good, channel: '@user' }, 'an API key has no channel of its own'],
  ])('a message with %s is refused, with the reason', async (_, sent, detail) => {
    const answer = await publish(origin, sent)
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    expect(answer).toMatchObject({ status: 422, body: { code: 'INVALID', react: 'stop', detail } })
  })

  const post = (body: BodyInit | undefined, headers: Record<string, string> = {}, path = '/v1/publish') =>
    fetch(`${origin}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${testApiKey}`, ...headers },
      ...(body === undefined ? {} : { body }),
    })

  test.each<[string, BodyInit | undefined, Record<string, string>]>([
    ['no body', undefined, {}],
    ['broken JSON', '{"channel":', { 'content-type': 'application/json' }],
    ['a form', 'channel=room:open-1&event=e', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['bytes that are no UTF-8', new Uint8Array([0x22, 0xff, 0x22]), {}],
    ['a compressed body', JSON.stringify(good), { 'content-encoding': 'gzip' }],
  ])('%s is refused', async (_, body, headers) => {
    const answer = await post(body, headers)
    expect([answer.status, await answer.json()]).toMatchObject([422, { code: 'INVALID', detail: expect.any(String) }])
  })

  test('data above 32 KiB and bodies above 1 MiB are refused, and smaller ones pass', async () => {
    const channel = openRoom()
    const sized = (bytes: number) => ({ channel, event: 'e', data: 'x'.repeat(bytes - 2) })
    expect(await publish(origin, sized(32_768))).toMatchObject({ status: 200 })
    expect(await publish(origin, sized(32_769))).toMatchObject({ status: 413, body: { code: 'TOO_LARGE' } })
    const large = await publish<Outcome[]>(
      origin,
      upTo(30).map(() => sized(32_768)),
    )
    expect(large.body.map(({ ok }) => ok)).toEqual(upTo(30).map(() => true))
    const tooLarge = await post('x'.repeat(1024 * 1024 + 1))
    expect([tooLarge.status, await tooLarge.json()]).toMatchObject([413, { code: 'TOO_LARGE', react: 'stop' }])
    const elsewhere = await post('x'.repeat(64 * 1024 + 1), {}, '/v1/users/x/end')
    expect(elsewhere.status).toBe(413)
  })

  test('a body without a length ends at the same bound, on the node itself', async () => {
    const socket = connect(nodeAt(cluster.nodes, 0).port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write(
      `POST /v1/publish HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${testApiKey}\r\nTransfer-Encoding: chunked\r\n\r\n`,
    )
    const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`
    const answered = once(socket, 'data')
    for (let sent = 0; sent < 17; sent++) socket.write(chunk)
    const [answer] = await answered
    expect(String(answer)).toMatch(/^HTTP\/1.1 413 /)
    expect(String(answer)).toMatch(/connection: close/i)
    socket.destroy()
  })

  test('data nested without end is refused, because nobody could write it again', async () => {
    const channel = openRoom()
    const nested = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
    const answer = await post(`{"channel":"${channel}","event":"e","data":${nested}}`)
    expect([422, 413]).toContain(answer.status)
    expect(await datas(channel)).toEqual([])
  })

  test('any JSON in the place of any part is answered with an outcome', async () => {
    const anything = fc.jsonValue()
    const or = (value: unknown) => fc.oneof(fc.constant(value), anything)
    const near = fc.record({ channel: or(good.channel), event: or(good.event), data: anything, volatile: or(true) })
    const bodies = fc.oneof(anything, near, fc.array(near, { maxLength: 5 }))
    await fc.assert(
      fc.asyncProperty(bodies, async (body) => {
        for (const path of ['publish', 'mesh/publish', 'channels/@user/read', 'users/x/end']) {
          const { status } = await request(`${origin}/v1/${path}`, { bearer: testApiKey, json: body })
          expect([200, 202, 400, 409, 413, 422]).toContain(status)
        }
      }),
      { numRuns: 50 },
    )
  })

  test.each([
    ['no credentials', undefined, 'room:open-x', 401, 'UNAUTHORIZED'],
    ['a key that nobody has', `saoma_test_${'A'.repeat(43)}`, 'room:open-x', 401, 'UNAUTHORIZED'],
    ['a key of an unknown name', `saoma_nobody_${'A'.repeat(43)}`, 'room:open-x', 401, 'UNAUTHORIZED'],
    ['a text that is no token', 'nonsense', 'room:open-x', 401, 'UNAUTHORIZED'],
    ['a key out of its patterns', narrowApiKey, 'room:open-x', 403, 'FORBIDDEN'],
    ['a key out of its patterns, to a person', narrowApiKey, 'user:somebody', 403, 'FORBIDDEN'],
    ['a person, to somebody else', 'alice', 'user:somebody', 403, 'FORBIDDEN'],
    ['a person, to themselves', 'alice', '@user', 403, 'FORBIDDEN'],
    ['a person, where nobody may', 'alice', 'room:read-x', 403, 'FORBIDDEN'],
    ['a person, where only members may', 'alice', 'room:members-x', 403, 'FORBIDDEN'],
    ['a person, in a room without a rule', 'alice', 'room:anything', 403, 'FORBIDDEN'],
  ])('%s: the publication is refused', async (_, who, channel, status, code) => {
    const bearer = who === 'alice' ? alice.access_token : who
    const options: RequestOptions = bearer ? { bearer } : {}
    const json = { channel, event: 'e', data: 1 }
    const answer = await request(`${origin}/v1/publish`, { json, ...options })
    expect(answer).toMatchObject({ status, body: { code, status } })
    if (status === 401) expect(answer.headers.get('www-authenticate')).toBe('Bearer')
  })

  test('another method and another spelling of the address are refused', async () => {
    expect(await request(`${origin}/v1/publish`, { bearer: testApiKey })).toMatchObject({
      status: 405,
      body: { code: 'METHOD_NOT_ALLOWED' },
    })
    const away = await request(`${origin}/v1/Publish`, { bearer: testApiKey, json: good })
    expect(away).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } })
  })

  test('a page of a foreign origin is refused before anything is read', async () => {
    const channel = openRoom()
    const foreign = { headers: { origin: 'https://evil.example' } }
    expect(await publish(origin, { ...good, channel }, testApiKey, foreign)).toMatchObject({ status: 403 })
    expect(await datas(channel)).toEqual([])
  })

  test('a key publishes within its patterns', async () => {
    expect(await publish(origin, { ...good, channel: 'room:read-x' }, narrowApiKey)).toMatchObject({ status: 200 })
  })
})

describe('CONNMIX’s mesh publish', () => {
  const mesh = (body: unknown, options: RequestOptions = { bearer: testApiKey }) =>
    request<unknown>(`${origin}/v1/mesh/publish`, { json: body, ...options })
  const raw = async (body: unknown): Promise<string> => {
    const answer = await fetch(`${origin}/v1/mesh/publish`, {
      method: 'POST',
      headers: { authorization: `Bearer ${testApiKey}` },
      body: JSON.stringify(body),
    })
    return answer.text()
  }

  test('it is answered byte for byte, and `s` counts the connections that followed', async () => {
    const channel = openRoom()
    expect(await raw({ c: channel, d: 'hi' })).toBe('{"E":null,"r":{"s":0,"f":0}}')
    const stream = await openEvents(`${origin}/v1/channels/${channel}/messages`, { bearer: alice.access_token })
    await stream.next('subscribed')
    expect(await raw({ c: channel, d: 'hi' })).toBe('{"E":null,"r":{"s":1,"f":0}}')
    stream.close()
  })

  // Any other text is kept as it is.
  test('it publishes a text of the person’s own event as that event', async () => {
    const own = '{"event":"@user","data":{"uid":1001,"msg":"Hello,World!"}}'
    const texts = [
      own,
      own.replace('{"uid"', '{ "uid"'),
      '{"data":1,"event":"@user"}',
      '{"event":"other","data":1}',
      '{"event":"@user","data":1,"more":1}',
      '{"event":"@user"}',
      'no JSON at all',
    ]
    for (const d of texts) expect(await mesh({ c: `user:${alice.user}`, d })).toMatchObject({ status: 200 })
    expect((await read(`user:${alice.user}`)).messages.map(({ event, data }) => [event, data])).toEqual([
      ['@user', { uid: 1001, msg: 'Hello,World!' }],
      ...texts.slice(1).map((text) => ['mesh.text', text]),
    ])
    const channel = openRoom()
    await mesh({ c: channel, d: own })
    await mesh({ c: channel, d: 'AAEC', t: 'binary' })
    expect((await read(channel)).messages).toMatchObject([
      { event: 'mesh.text', data: own },
      { event: 'mesh.binary', data: 'AAEC' },
    ])
  })

  test.each<[string, unknown]>([
    ['no channel', { d: 'x' }],
    ['no data', { c: 'room:open-1' }],
    ['data that is no text', { c: 'room:open-1', d: { a: 1 } }],
    ['a name that is no channel', { c: 'lobby', d: 'x' }],
    ['an unknown type', { c: 'room:open-1', d: 'x', t: 'xml' }],
    ['bytes that are no base64', { c: 'room:open-1', d: 'x', t: 'binary' }],
    ['an array', [{ c: 'room:open-1', d: 'x' }]],
  ])('it refuses %s as an invalid argument', async (_, body) => {
    expect(await mesh(body)).toMatchObject({ status: 400, body: { E: { c: 101, m: expect.any(String) } } })
  })

  test('it distinguishes strangers and people from backends', async () => {
    const body = { c: 'room:open-1', d: 'x' }
    expect(await mesh(body, {})).toMatchObject({ status: 401, body: { E: { c: 401 } } })
    expect(await mesh(body, { bearer: `saoma_test_${'A'.repeat(43)}` })).toMatchObject({ body: { E: { c: 401 } } })
    expect(await mesh(body, { bearer: alice.access_token })).toMatchObject({ status: 403, body: { E: { c: 403 } } })
    expect(await mesh(body, { bearer: narrowApiKey })).toMatchObject({ status: 403, body: { E: { c: 403 } } })
  })
})

test('the log names the key and the route, and never a token or what was said', async () => {
  const secret = `whispered ${'w'.repeat(20)}`
  const refusedAnswer = await publish(origin, { channel: 'user:somebody', event: 'e', data: secret }, narrowApiKey)
  const node = cluster.nodes.find(({ id }) => id === refusedAnswer.headers.get('x-saoma-node'))
  const line = await node?.nextLine(({ json }) => json?.request === refusedAnswer.headers.get('x-request-id'))
  expect(line?.json).toMatchObject({ level: 'warn', path: '/v1/publish', key: 'narrow', code: 'FORBIDDEN' })
  await publish(origin, { channel: openRoom(), event: 'e', data: secret })
  for (const { text } of cluster.nodes.flatMap(({ lines }) => lines)) {
    expect(text).not.toContain('whispered')
    expect(text).not.toContain(testApiKey.slice(-20))
    expect(text).not.toContain(alice.access_token.slice(-20))
  }
})

test('no node has logged an error after all these tests', () => {
  expect(cluster.nodes.flatMap(failuresOf)).toEqual([])
})

describe('limits', () => {
  let small: Cluster
  beforeAll(async () => {
    small = await startCluster({ nodes: 1, env: { SAOMA_LIMIT_REQUESTS: '30', SAOMA_LIMIT_EVENTS: '5' } })
  })

  test('a person may publish as much over HTTP as over a connection, and then must wait', async () => {
    const bob = await webToken(small.origin, 'bob')
    const sent = (data: number) => ({ channel: 'room:open-1', event: 'n', data })
    const { body } = await publish<Outcome[]>(small.origin, upTo(7).map(sent), bob.access_token)
    expect(body.map((outcome) => (outcome.ok ? outcome.offset : outcome.code))).toEqual([
      ...[1, 2, 3, 4, 5],
      'RATE_LIMITED',
      'RATE_LIMITED',
    ])
    const single = await publish(small.origin, sent(8), bob.access_token)
    expect(single).toMatchObject({ status: 429, body: { code: 'RATE_LIMITED', react: 'retry' } })
    expect(Number(single.headers.get('retry-after'))).toBeGreaterThan(0)
  })

  test('the limit of an address spares backends, but not clients that guess keys', async () => {
    const wrong = `saoma_test_${'A'.repeat(43)}`
    const statuses = new Set<number>()
    for (let i = 0; i < 40; i++) statuses.add((await publish(small.origin, {}, wrong)).status)
    expect([...statuses]).toEqual([401, 429])
    const sent = { channel: 'room:read-1', event: 'n', data: 1 }
    for (let i = 0; i < 40; i++) expect(await publish(small.origin, sent)).toMatchObject({ status: 200 })
  })
})
