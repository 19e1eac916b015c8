import type { Page } from '@saoma/protocol'
import { type Cluster, publish, request, startCluster, testApiKey, webToken } from '@saoma/testing'
import { createConcurrencyQuota } from '../src/access/concurrency-quota.ts'
import type { Backend, Person } from '../src/access/principal.ts'
import { nodeAt, untilHeld } from './fixtures.ts'

/** What a person may have held on one node, and what an API key may. */
const [MOST, MOST_OF_KEY] = [50, 200]
const channel = 'room:open-held'

let cluster: Cluster

beforeAll(async () => {
  cluster = await startCluster({ nodes: 1 })
  await publish(cluster.origin, { channel, event: 'e', data: 0 })
})

const node = () => nodeAt(cluster.nodes, 0)
const holding = (count: number) => untilHeld(node(), count)
const poll = async (bearer: string) => {
  const at = `${node().origin}/v1/channels/${channel}/messages`
  const { epoch, offset } = (await request<Page>(at, { bearer })).body
  return (accept = 'application/json') =>
    request<Page>(`${at}?epoch=${epoch}&after=${offset}&wait=25`, { bearer, headers: { accept } })
}

// The others do not feel it.
test.each([
  ['a person', async () => (await webToken(cluster.origin, 'alice')).access_token, MOST],
  ['an API key', async () => testApiKey, MOST_OF_KEY],
])('%s may have a limited number of requests held on a node, and places are freed', async (_, by, most) => {
  const hold = await poll(await by())
  const other = await poll((await webToken(cluster.origin, 'bert')).access_token)
  const held = Array.from({ length: most }, () => hold())
  await holding(most)
  for (const accept of ['application/json', 'text/event-stream']) {
    const refused = await hold(accept)
    expect(refused).toMatchObject({ status: 429, body: { code: 'RATE_LIMITED' } })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  }
  const others = other()
  await holding(most + 1)

  await publish(cluster.origin, { channel, event: 'e', data: 1 })
  for (const { status, body } of await Promise.all([...held, others])) {
    expect(status).toBe(200)
    expect(body.messages).toMatchObject([{ data: 1 }])
  }
  await holding(0)
  const next = (await poll(await by()))()
  await holding(1)
  await publish(cluster.origin, { channel, event: 'e', data: 2 })
  expect((await next).status).toBe(200)
})

test('places are counted per person and per key, and each is given back once', () => {
  const crowd = createConcurrencyQuota({ person: 2, backend: 1 })
  const anna: Person = { kind: 'person', issuer: 'saoma', user: 'anna', sid: 's1', expiresAt: 0, rooms: [] }
  const shop: Backend = {
    kind: 'backend',
    name: 'anna',
    channels: [],
    may: ['publish', 'follow', 'presence'],
    scopes: [],
    expiresAt: Number.POSITIVE_INFINITY,
  }
  const leave = crowd.enter(anna)
  expect(crowd.enter({ ...anna, sid: 's2' })).toBeDefined()
  expect(crowd.enter({ ...anna, sid: 's3' })).toBeUndefined()
  expect(crowd.enter({ ...anna, issuer: 'business' })).toBeDefined()
  expect(crowd.enter({ ...anna, user: 'bert' })).toBeDefined()
  expect(crowd.enter(shop)).toBeDefined()
  expect(crowd.enter(shop)).toBeUndefined()
  leave?.()
  leave?.()
  expect(crowd.enter(anna)).toBeDefined()
  expect(crowd.enter(anna)).toBeUndefined()
})
