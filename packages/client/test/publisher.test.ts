import { type Cluster, narrowApiKey, startCluster, testApiKey, webToken } from '@saoma/testing'
import { createPublisher, type EndOptions, type PublisherOptions } from '../src/server.ts'
import { listen, openLive, upTo } from './visitor.ts'

let cluster: Cluster

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2 })
})

const open = (options: Partial<PublisherOptions> = {}) =>
  createPublisher({ origin: cluster.origin, apiKey: testApiKey, random: () => 0, ...options })

/** A way on which answers get lost after the server has done what it was asked. */
const losing = (times: number) => {
  const way = { sent: 0, fetch: globalThis.fetch }
  way.fetch = async (input, init) => {
    const answer = await fetch(input, init)
    if (way.sent++ < times) throw new TypeError('the connection broke')
    return answer
  }
  return way
}

test('a message whose answer is lost is sent again and happens once', async () => {
  const way = losing(3)
  const answer = await open(way).publish({ channel: 'room:open-once', event: 'e', data: 1 })
  expect(answer).toMatchObject({ ok: true, value: { offset: 1, repeated: true } })
  expect(way.sent).toBe(4)
})

test('messages of several requests whose answers are lost happen once', async () => {
  const way = losing(2)
  const messages = upTo(250).map((data) => ({ channel: 'room:open-many', event: 'e', data }))
  const answers = await open(way).publish(messages)
  expect(answers.map((answer) => answer.ok && answer.value.offset)).toEqual(upTo(250))
})

test('each of many messages gets its own answer', async () => {
  const answers = await open({ apiKey: narrowApiKey }).publish([
    { channel: 'room:read-own', event: 'e', data: 1 },
    { channel: 'room:open-not-own', event: 'e', data: 2 },
    { channel: 'room:read-own', event: 'not a name', data: 3 },
    { channel: 'room:read-own', event: 'e', data: 4 },
  ])
  expect(answers).toMatchObject([
    { ok: true, value: { offset: 1 } },
    { ok: false, code: 'FORBIDDEN', react: 'stop' },
    { ok: false, code: 'INVALID', react: 'stop' },
    { ok: true, value: { offset: 2 } },
  ])
  expect(await open().publish([])).toEqual([])
})

test('data that JSON cannot hold is refused with its path and never sent altered', async () => {
  const channel = 'room:open-odd'
  const odd = [
    { price: Number.NaN },
    Number.POSITIVE_INFINITY,
    { id: 12345678901234567890n },
    { photo: new Uint8Array([104, 105]) },
    { photo: Buffer.from('hi') },
    new ArrayBuffer(2),
    { names: new Map([['a', 1]]) },
    { seen: new Set([1]) },
    { rate: { toJSON: () => Number.NaN } },
  ]
  for (const data of odd)
    expect(await open().publish({ channel, event: 'e', data })).toMatchObject({ ok: false, code: 'INVALID' })
  const answers = await open().publish([...odd, 4].map((data) => ({ channel, event: 'e', data })))
  expect(answers).toMatchObject([
    { code: 'INVALID', message: 'This cannot be written as JSON: price is NaN.' },
    { code: 'INVALID', message: 'This cannot be written as JSON: data is Infinity.' },
    { code: 'INVALID', message: 'This cannot be written as JSON: id is 12345678901234567890.' },
    { code: 'INVALID', message: 'This cannot be written as JSON: photo is bytes; send them as base64.' },
    { code: 'INVALID', message: 'This cannot be written as JSON: photo is bytes; send them as base64.' },
    { code: 'INVALID', message: 'This cannot be written as JSON: data is bytes; send them as base64.' },
    { code: 'INVALID', message: 'This cannot be written as JSON: names is a Map; send Object.fromEntries of it.' },
    { code: 'INVALID', message: 'This cannot be written as JSON: seen is a Set; send an array of it.' },
    { code: 'INVALID', message: 'This cannot be written as JSON: rate is NaN.' },
    { ok: true, value: { offset: 1 } },
  ])
  const { live } = openLive({ origin: cluster.origin, token: testApiKey })
  expect(await live.publish({ channel, event: 'e', data: [Number.NaN] })).toMatchObject({ code: 'INVALID' })
})

test('a caller’s key is kept, and another message under it is refused', async () => {
  const message = { channel: 'room:open-key', event: 'e', data: 1, idempotencyKey: 'order-17' }
  expect(await open().publish(message)).toMatchObject({ ok: true, value: { offset: 1 } })
  expect(await open().publish(message)).toMatchObject({ ok: true, value: { offset: 1, repeated: true } })
  expect(await open().publish({ ...message, data: 2 })).toMatchObject({ ok: false, code: 'KEY_REUSED' })
})

test('a volatile message is sent once', async () => {
  const way = losing(1)
  const answer = await open(way).publish({ channel: 'room:open-volatile', event: 'e', data: 1, volatile: true })
  expect(answer).toMatchObject({ ok: false, code: 'NETWORK' })
  expect(way.sent).toBe(1)
})

test('temporary failures are retried until the time is over; others are not', async () => {
  let asked = 0
  const answering = (status: number, code: string, react: string) => async () => {
    asked++
    return new Response(JSON.stringify({ type: 'about:blank', title: 't', status, code, react }), { status })
  }
  // Each answer takes five seconds: the third comes when there is no time left for a fourth.
  const hopeful = open({ now: () => asked * 5_000, fetch: answering(503, 'REDIS_UNAVAILABLE', 'retry') })
  expect(await hopeful.presence('room:open')).toMatchObject({ code: 'REDIS_UNAVAILABLE' })
  expect(asked).toBe(3)
  asked = 0
  const hopeless = open({ fetch: answering(401, 'UNAUTHORIZED', 'reauth') })
  expect(await hopeless.presence('room:open')).toMatchObject({ code: 'UNAUTHORIZED' })
  expect(asked).toBe(1)
})

test('presence, unread counts and forgetting work', async () => {
  const publisher = open()
  const { access_token: token, user } = await webToken(cluster.origin, 'Li Lei')
  const { live } = openLive({ origin: cluster.origin, token: () => token })
  await listen(live.channel('@user')).at('live')
  const channel = `user:${user}`
  expect(await publisher.presence(channel)).toEqual({
    ok: true,
    value: { channel, users: [user], count: 1, connections: 1 },
  })
  await publisher.publish(upTo(3).map((data) => ({ channel, event: 'e', data })))
  expect(await publisher.inbox(channel)).toEqual({ ok: true, value: { read: 0, unread: 3 } })
  expect(await publisher.trim(channel, 3)).toEqual({ ok: true, value: { trimmed: 2 } })
  expect(await publisher.inbox(channel)).toEqual({ ok: true, value: { read: 0, unread: 1 } })
})

test('a name of a session that is missing by mistake does not end all sessions', async () => {
  const way = losing(0)
  const publisher = open(way)
  const mistakes = [{ keep: undefined }, { sid: undefined }, { keep: '' }, { sid: '' }, ''] as EndOptions[]
  for (const which of mistakes) {
    expect(await publisher.end('somebody', which)).toMatchObject({ ok: false, code: 'INVALID', react: 'stop' })
  }
  expect(way.sent).toBe(0)
  expect(await publisher.end('somebody', { reason: undefined })).toEqual({ ok: true, value: undefined })
})
