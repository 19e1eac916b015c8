import { connect, whenReady } from '@saoma/redis'
import {
  type Cluster,
  connectLive,
  connectLogin,
  createTicket,
  loginDoors,
  onCleanup,
  phoneToken,
  poll,
  request,
  startCluster,
  startGateway,
  until,
  webToken,
} from '@saoma/testing'

/* Redis loses its data while nodes run and nobody's connection is lost: emptied by hand, or swapped behind a stable address. */

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

const empty = async () => {
  const redis = connect({ url: cluster.redis.url, name: 'test', onError: () => {} })
  onCleanup(() => redis.disconnect())
  await whenReady(redis, 5_000)
  await redis.flushall()
}
const own = (origin: string, bearer: string) => request(`${origin}/v1/channels/@user/messages`, { bearer })

test('who is there is present again within seconds, ended sessions end, and waiting browsers take another code', async () => {
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
  const emptiedAt = performance.now()
  const presence = await until(
    async () => (await people[0]?.presence({ channel })) as { ok: boolean; presence?: { count: number } },
    (answer) => JSON.stringify(answer).includes('"count":2'),
  )
  expect(presence.ok).toBe(true)
  expect(await logged.next('ended')).toMatchObject({ code: 'REVOKED' })
  for (const browser of waiting) expect(await browser.next('ticket')).toMatchObject({ status: 'expired', version: 2 })
  expect(await held).toMatchObject({ status: 404, body: { code: 'TICKET_NOT_FOUND' } })
  expect(performance.now() - emptiedAt).toBeLessThan(SOON_MS)
  // Redis knew of nobody, so that each was said to come; that somebody left was never said.
  for (const [i, person] of people.entries())
    for (const { event } of person.pending('presence').slice(told[i])) expect(event).toBe('join')
})

test('nodes that hold keys, and one that starts in the empty Redis, take each other’s tokens; those from before stay good', async () => {
  const before = await phoneToken(a, 'ada')
  await empty()
  const third = await startGateway({ redisUrl: cluster.redis.url, nodeId: 'c', origin: cluster.origin })
  const origins = [a, b, third.origin]
  const tokens = await Promise.all(origins.map((origin) => phoneToken(origin, 'ben')))
  for (const origin of origins)
    for (const token of [before, ...tokens]) expect((await own(origin, token)).status).toBe(200)
})
