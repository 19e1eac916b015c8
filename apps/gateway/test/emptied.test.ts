import {
  type Cluster,
  connectLive,
  connectLogin,
  createTicket,
  loginDoors,
  phoneToken,
  poll,
  request,
  startAwake,
  startCluster,
  startGateway,
  startRedis,
  startRedisCluster,
  until,
  webToken,
} from '@saoma/testing'
import { openOperator } from './fixtures.ts'

/*
 * Redis loses its data while nodes run and nobody's connection is lost: emptied by hand, or swapped behind a
 * stable address.
 */

/** Less than the 30 s in which everything is compared anyway. */
const SOON_MS = 10_000

let cluster: Cluster
let a: string
let b: string

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2 })
  const [first = '', second = ''] = cluster.nodes.map(({ origin }) => origin)
  a = first
  b = second
})

const empty = async () => (await openOperator(cluster.redis.url)).flushall()
const own = (origin: string, bearer: string) => request(`${origin}/v1/channels/@user/messages`, { bearer })

// Browsers that wait for a login take another code.
test('presence returns and ended sessions end within seconds after Redis was emptied', async () => {
  const channel = 'room:open-emptied'
  const phones = await Promise.all(['ada', 'ben'].map((name) => phoneToken(a, name)))
  const people = phones.map((token, i) => connectLive(i ? b : a, { token }))
  for (const person of people) expect(await person.subscribe({ channel })).toMatchObject({ ok: true })
  const session = await webToken(cluster.origin, 'cleo')
  const logged = connectLive(b, { token: session.access_token })
  expect(await logged.subscribe({ channel: '@user' })).toMatchObject({ ok: true })
  const { device_code: code } = await createTicket(a)
  const waiting = loginDoors.map(([, query]) => connectLogin(b, { query }))
  for (const browser of waiting) expect(await browser.watch(code)).toMatchObject({ ok: true })
  const held = poll(a, code, { after: 1, wait: 25 })
  const told = people.map((person) => person.pending('presence').length)

  await empty()
  const awake = startAwake()
  const presence = await until(
    async () => (await people[0]?.presence({ channel })) as { ok: boolean; presence?: { count: number } },
    (answer) => JSON.stringify(answer).includes('"count":2'),
  )
  expect(presence.ok).toBe(true)
  expect(await logged.next('ended')).toMatchObject({ code: 'REVOKED' })
  for (const browser of waiting) expect(await browser.next('ticket')).toMatchObject({ status: 'expired', version: 2 })
  expect(await held).toMatchObject({ status: 404, body: { code: 'TICKET_NOT_FOUND' } })
  expect(awake.stop()).toBeLessThan(SOON_MS)
  // Redis knew of nobody, so that each was said to come; that somebody left was never said.
  for (const [i, person] of people.entries())
    for (const { event } of person.pending('presence').slice(told[i])) expect(event).toBe('join')
})

// Two of them hold keys, and one starts in the empty Redis. Tokens from before stay good.
test('all nodes accept each other’s tokens after Redis was emptied', async () => {
  const before = await phoneToken(a, 'ada')
  await empty()
  const third = await startGateway({ redisUrl: cluster.redis.url, nodeId: 'c', origin: cluster.origin })
  const origins = [a, b, third.origin]
  const tokens = await Promise.all(origins.map((origin) => phoneToken(origin, 'ben')))
  for (const origin of origins)
    for (const token of [before, ...tokens]) expect((await own(origin, token)).status).toBe(200)
})

/** People on `/`, each with a session of their own. */
const people = async (origin: string, count: number) =>
  Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const { access_token: token } = await webToken(origin, `person ${i}`)
      const socket = connectLive(origin, { token })
      await socket.next('connect')
      return { token, socket }
    }),
  )

// Lost by a FLUSHALL, and by a restart without its data.
test('sessions end when the logins’ Redis is lost, even if channels have another one', async () => {
  const [logins, chat] = await Promise.all([startRedis(), startRedis()])
  const node = await startGateway({
    redisUrl: logins.url,
    nodeId: 'a',
    origin: 'http://127.0.0.1',
    env: { REDIS_CHANNELS_URL: chat.url },
  })
  const [emptied] = await people(node.origin, 1)
  await (await openOperator(logins.url)).flushall()
  expect(await emptied?.socket.next('ended')).toMatchObject({ code: 'REVOKED' })

  const [restarted] = await people(node.origin, 1)
  await logins.stop()
  await startRedis({ port: logins.port })
  expect(await restarted?.socket.next('ended', 2 * SOON_MS)).toMatchObject({ code: 'REVOKED' })
})

// It does not matter where the channels of their people are.
test('an emptied shard of a Redis Cluster ends the sessions that were stored there', async () => {
  const redis = await startRedisCluster()
  const node = await startGateway({ redisUrl: redis.url, nodeId: 'a', origin: 'http://127.0.0.1' })
  // So many that each shard has some.
  const everybody = await people(node.origin, 36)
  const shards = await Promise.all(redis.nodes.map(({ url }) => openOperator(url)))
  const names = await Promise.all(shards.map((shard) => shard.keys('saoma:node-name:*')))
  await shards[names.findIndex((found) => found.length === 0)]?.flushall()
  const answers = await Promise.all(everybody.map(({ token }) => own(node.origin, token)))
  const over = everybody.filter((_, i) => answers[i]?.status === 401)
  expect(over.length).toBeGreaterThan(0)
  for (const { socket } of over) expect(await socket.next('ended')).toMatchObject({ code: 'REVOKED' })
  expect(node.lines.filter(({ json }) => json?.event === 'redis-emptied')).toHaveLength(1)
})
