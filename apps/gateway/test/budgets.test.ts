import type { Connection } from '@saoma/redis'
import {
  connectLive,
  type Gateway,
  type LiveClient,
  metricOf,
  publish,
  type RedisServer,
  request,
  startGateway,
  startRedis,
  testApiKey,
  until,
  webToken,
} from '@saoma/testing'
import { nodeAt, openOperator } from './fixtures.ts'

/** What one person, however many sockets and addresses they take, may do to two nodes and their Redis. */
const MEGABYTE = 2 ** 20
const BYTES_A_MINUTE = 2 * MEGABYTE
const SOCKETS = 35
const NODES = 2
/** Of the budget: each node lets so much pass before it asks. */
const SLICE = BYTES_A_MINUTE / 20

let server: RedisServer
let redis: Connection
let nodes: Gateway[]

beforeAll(async () => {
  server = await startRedis({ args: ['--maxmemory', '64mb', '--maxmemory-policy', 'noeviction'] })
  const origin = 'http://127.0.0.1:8080'
  const env = {
    SAOMA_LIMIT_PERSON_BYTES: `${BYTES_A_MINUTE}`,
    SAOMA_LIMIT_PERSON_CHANNELS: '40',
    SAOMA_LIMIT_PERSON_FOLLOWS: '50',
  }
  nodes = await Promise.all(['a', 'b'].map((nodeId) => startGateway({ redisUrl: server.url, nodeId, origin, env })))
  redis = await openOperator(server.url)
})

const nodeOf = (i: number): Gateway => nodeAt(nodes, i)

/** Sockets of one person, each from an address of its own. */
const connectMany = async (count: number, token: string): Promise<LiveClient[]> => {
  const sockets = Array.from({ length: count }, (_, i) =>
    connectLive(nodeOf(i).origin, { token, extraHeaders: { 'X-Forwarded-For': `203.0.113.${i}` } }),
  )
  await Promise.all(sockets.map((socket) => socket.next('connect')))
  return sockets
}
const channelKeys = () => redis.keys('*:channel:*')

// Redis stays below its share.
test('the 35 sockets of a person share one limit while other people log in', async () => {
  const mallory = await webToken(nodeOf(0).origin, 'mallory')
  const sockets = await connectMany(SOCKETS, mallory.access_token)
  const data = 'x'.repeat(30_000)
  const flood = sockets.flatMap((socket, i) =>
    Array.from({ length: 60 }, async () => {
      const answer = await socket.publish({ channel: `room:open-flood-${i % 20}`, event: 'said', data }, 20_000)
      return answer.ok ? { ok: true, retryAfter: 0 } : { retryAfter: 0, ...answer }
    }),
  )
  const others = Promise.all(Array.from({ length: 5 }, (_, i) => webToken(nodeOf(i).origin, `honest-${i}`)))
  const answers = await Promise.all(flood)
  expect(await others).toHaveLength(5)
  const done = answers.filter(({ ok }) => ok).length * data.length
  expect(done).toBeGreaterThan(BYTES_A_MINUTE / 2)
  expect(done).toBeLessThanOrEqual(BYTES_A_MINUTE + NODES * SLICE)
  for (const answer of answers.filter(({ ok }) => !ok)) {
    expect(answer).toMatchObject({ code: 'RATE_LIMITED', react: 'retry' })
    expect(answer.retryAfter).toBeGreaterThan(0)
    expect(answer.retryAfter).toBeLessThanOrEqual(60)
  }
  expect(await metricOf(nodeOf(0), 'saoma_redis_memory_ratio')).toBeLessThan(0.8)

  // The other doors are the same person's.
  const message = { channel: 'room:open-flood-1', event: 'said', data }
  const http = await publish(nodeOf(1).origin, message, mallory.access_token)
  expect([http.status, http.body]).toMatchObject([429, { code: 'RATE_LIMITED' }])
  expect(Number(http.headers.get('retry-after'))).toBeGreaterThan(0)
  const many = await publish<object[]>(nodeOf(0).origin, [message], mallory.access_token)
  expect(many.body).toMatchObject([{ ok: false, code: 'RATE_LIMITED', retryAfter: expect.any(Number) }])
  const volatile = await sockets[0]?.publish({ ...message, volatile: true })
  expect(volatile).toMatchObject({ ok: false, code: 'RATE_LIMITED' })
  // Nobody else is, and the operator's keys are not.
  const bob = await webToken(nodeOf(0).origin, 'bob')
  expect((await publish(nodeOf(0).origin, message, bob.access_token)).status).toBe(200)
  expect((await publish(nodeOf(0).origin, message)).status).toBe(200)
  for (const socket of sockets) socket.close()
})

// Channels that exist already, and the channels of a key, are not counted.
test('a person may begin a limited number of channels a day, counted over all nodes', async () => {
  const { access_token } = await webToken(nodeOf(0).origin, 'columbus')
  const say = (i: number, n: number, bearer = access_token) =>
    publish(nodeOf(n).origin, { channel: `room:open-new-${i}`, event: 'said', data: 1 }, bearer)
  const first = await Promise.all(Array.from({ length: 80 }, (_, i) => say(i, i)))
  const begun = first.flatMap(({ status }, i) => (status === 200 ? [i] : []))
  expect(begun.length).toBeGreaterThanOrEqual(40 - 2 * NODES)
  expect(begun.length).toBeLessThanOrEqual(40 + 2 * NODES)
  const refused = first.findIndex(({ status }) => status !== 200)
  expect(first[refused]).toMatchObject({ status: 429, body: { code: 'RATE_LIMITED' } })
  expect((await redis.keys('*:channel:{room:open-new-*}:meta')).length).toBe(begun.length)
  expect((await say(begun[0] ?? -1, 1)).status).toBe(200)
  expect((await say(refused, 0, testApiKey)).status).toBe(200)
  expect((await say(refused, 0)).status).toBe(200)
})

// Following a channel that never existed leaves nothing in Redis.
test('a person may follow a limited number of channels at once, counted over all nodes', async () => {
  const before = (await channelKeys()).length
  const { access_token } = await webToken(nodeOf(0).origin, 'collector')
  const sockets = await connectMany(8, access_token)
  const answers = await Promise.all(
    sockets.flatMap((socket, s) =>
      Array.from({ length: 80 }, (_, i) => socket.subscribe({ channel: `room:open-empty-${s}-${i}` }, 20_000)),
    ),
  )
  const followed = answers.filter(({ ok }) => ok).length
  // A hundred on each node are not asked about.
  expect(followed).toBeGreaterThanOrEqual(200)
  expect(followed).toBeLessThanOrEqual(50 + 100 * NODES)
  for (const answer of answers) if (!answer.ok) expect(answer.code).toBe('TOO_MANY_CHANNELS')
  expect(await redis.keys('*:channel:{room:open-empty-*}:meta')).toEqual([])
  for (const socket of sockets) socket.close()
  await until(
    async () => (await channelKeys()).length,
    (keys) => keys <= before,
  )
  // What they held is free again.
  const [again] = await connectMany(1, access_token)
  expect(await again?.subscribe({ channel: 'room:open-empty-again' })).toMatchObject({ ok: true })
  again?.close()
})

test('reading, polling and presence of a channel that never existed write nothing', async () => {
  const { access_token: bearer } = await webToken(nodeOf(0).origin, 'reader')
  for (let i = 0; i < 20; i++) {
    const at = `${nodeOf(i).origin}/v1/channels/room:open-asked-${i}`
    expect((await request(`${at}/messages`, { bearer })).status).toBe(200)
    expect((await request(`${at}/presence`, { bearer })).status).toBe(200)
  }
  const inbox = await request(`${nodeOf(0).origin}/v1/channels/@user/inbox`, { bearer })
  expect([inbox.status, inbox.body]).toEqual([200, { read: 0, unread: 0 }])
  expect(await redis.keys('*:channel:{room:open-asked-*')).toEqual([])
})
