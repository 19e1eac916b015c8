import { randomUUID } from 'node:crypto'
import {
  attemptPhoneToken,
  attemptTicket,
  type Gateway,
  metricOf,
  type Simulator,
  startGateway,
  startRedis,
  startSimulator,
  until,
} from '@saoma/testing'
import { nodeAt } from './fixtures.ts'

/** What strangers may spend of what is the whole cluster's: WeChat's quota, memory for codes, accounts. */
const origin = 'http://127.0.0.1:8080'
const from = (address: string) => ({ headers: { 'X-Forwarded-For': address } })
const startNodes = async (env: Record<string, string>): Promise<[Gateway, Gateway]> => {
  const { url: redisUrl } = await startRedis()
  const start = (nodeId: string) => startGateway({ redisUrl, nodeId, origin, env })
  return Promise.all([start('a'), start('b')])
}
const many = <T>(count: number, make: (i: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, i) => make(i)))
const wait = (headers: Headers) => Number(headers.get('retry-after'))

describe('login codes of phones', () => {
  const BAD = 10
  const IN_CLUSTER = 200
  let simulator: Simulator
  let nodes: [Gateway, Gateway]

  beforeAll(async () => {
    simulator = await startSimulator()
    nodes = await startNodes({
      ...simulator.env,
      SAOMA_DEMO: 'false',
      SAOMA_LIMIT_BAD_PHONE_CODES: `${BAD}`,
      SAOMA_LIMIT_PHONE_CODES_CLUSTER: `${IN_CLUSTER}`,
    })
  })

  const simulate = async <T>(path: string, body?: object): Promise<T> => {
    const init = body
      ? { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
      : {}
    return (await (await fetch(`${simulator.origin}/simulator${path}`, init)).json()) as T
  }
  const asked = async () =>
    (await simulate<{ calls: Record<string, number> }>('/counters')).calls['/sns/jscode2session'] ?? 0
  const jsCode = async (person: string) => (await simulate<{ js_code: string }>('/login', { person })).js_code
  const send = (i: number, code: string, address: string) =>
    attemptPhoneToken(nodeAt(nodes, i).origin, code, from(address))

  // Whatever it sends at once.
  test('a network spends a limited number of calls on codes that WeChat refuses', async () => {
    const before = await asked()
    const answers = await many(100, (i) => send(i, `made-up-${randomUUID()}`, '203.0.113.9'))
    // As many under way on each node as may turn out bad.
    expect((await asked()) - before).toBeLessThanOrEqual(2 * BAD)
    const refused = answers.filter(({ status }) => status === 429)
    expect(refused.length).toBeGreaterThanOrEqual(100 - 2 * BAD)
    for (const { body, headers } of refused) {
      expect(body).toMatchObject({ error: 'temporarily_unavailable' })
      expect(wait(headers)).toBeGreaterThan(0)
    }
    const more = await asked()
    const later = await send(0, `made-up-${randomUUID()}`, '203.0.113.9')
    expect(later.status).toBe(429)
    expect(wait(later.headers)).toBeGreaterThan(60)
    expect(await asked()).toBe(more)
    expect((await send(0, await jsCode('li'), '198.51.100.7')).status).toBe(200)
    expect(await metricOf(nodes[0], 'saoma_ratelimited_total{what="bad_phone_codes"}')).toBeGreaterThan(0)
  })

  test('people with good codes are not counted, however many come from one network', async () => {
    await many(3 * BAD, async (i) => {
      const code = await jsCode(`pupil-${i}`)
      // Only those under way at the same time may be told to come again in a second.
      await until(
        () => send(i, code, '198.51.100.8'),
        ({ status }) => status !== 429,
      ).then(({ status }) => expect(status).toBe(200))
    })
    expect((await send(0, await jsCode('teacher'), '198.51.100.8')).status).toBe(200)
  })

  test('strangers of many networks spend half of the cluster’s calls, and logins go on', async () => {
    const before = await asked()
    await many(40, async (network) => {
      for (let i = 0; i < 5; i++) await send(i, `made-up-${randomUUID()}`, `192.0.2.${network}`)
    })
    // Refused ones stop at half, but for one slice of each node and the first of each network.
    expect((await asked()) - before).toBeLessThan(IN_CLUSTER / 2 + 2 * 5 + 40)
    expect((await send(0, await jsCode('wang'), '198.51.100.9')).status).toBe(200)
    expect((await send(1, await jsCode('zhao'), '2001:db8:1:2::3')).status).toBe(200)
  })

  test('the owner of a /48 spends half of the calls at most, with a code from each network', async () => {
    const before = await asked()
    for (let batch = 0; batch < 6; batch++)
      await many(50, (i) => send(i, `made-up-${randomUUID()}`, `2001:db8:48:${batch}${i % 10}${Math.floor(i / 10)}::1`))
    // And what each node has under way of it, and a slice of each node.
    expect((await asked()) - before).toBeLessThan(IN_CLUSTER / 2 + 2 * 5 + 2 * 2)
    for (const [i, address] of ['198.51.101.9', '2001:db8:49::1'].entries())
      expect((await send(i, await jsCode(`fresh-${i}`), address)).status).toBe(200)
  })
})

/** Of a demo. */
let nodes: [Gateway, Gateway]
beforeAll(async () => {
  nodes = await startNodes({
    SAOMA_LIMIT_CODES: '24',
    SAOMA_LIMIT_CODES_CLUSTER: '80',
    SAOMA_LIMIT_DEMO_PEOPLE: '20',
  })
})

test('all browsers share a budget of codes, and half of it is for networks that had few', async () => {
  const create = (i: number, address: string) => attemptTicket(nodeAt(nodes, i).origin, from(address))
  // One owner of many addresses.
  const flood = await many(200, (i) => create(i, `203.0.113.${i % 40}`))
  const given = flood.filter(({ status }) => status === 200).length
  expect(given).toBeGreaterThanOrEqual(40)
  expect(given).toBeLessThanOrEqual(40 + 24 + 2 * 4)
  for (const { status, headers, body } of flood)
    if (status !== 200) {
      expect([429, 503]).toContain(status)
      expect(body).toMatchObject({ error: 'temporarily_unavailable' })
      expect(wait(headers)).toBeGreaterThan(0)
    }
  expect(flood.some(({ status }) => status === 503)).toBe(true)
  for (const [i, address] of ['198.51.100.1', '192.0.2.1', '2001:db8::1'].entries())
    expect((await create(i, address)).status).toBe(200)
  const limited = 'saoma_ratelimited_total{what="codes_cluster"}'
  expect((await metricOf(nodes[0], limited)) + (await metricOf(nodes[1], limited))).toBeGreaterThan(0)

  // Whoever has all the networks of the world can use it up; no more is written then.
  const all = await many(120, (i) => create(i, `100.${i % 250}.${i}.1`))
  const total = given + 3 + all.filter(({ status }) => status === 200).length
  expect(total).toBeLessThanOrEqual(80 + 2 * 4)
  expect(all.filter(({ status }) => status !== 200).map(({ status }) => status)).toContain(503)
})

test('a demo phone makes a limited number of people an hour, and existing people go on', async () => {
  const phone = (i: number, name: string, address: string) =>
    attemptPhoneToken(nodeAt(nodes, i).origin, `demo:${name}`, from(address))
  expect((await phone(0, 'alice', '203.0.113.1')).status).toBe(200)
  const made = await many(40, (i) => phone(i, `sock ${i}`, '203.0.113.1'))
  expect(made.filter(({ status }) => status === 200)).toHaveLength(19)
  for (const { status, body, headers } of made)
    if (status !== 200) {
      expect([status, body]).toMatchObject([429, { error: 'temporarily_unavailable' }])
      expect(wait(headers)).toBeGreaterThan(60)
    }
  expect((await phone(1, 'alice', '203.0.113.1')).status).toBe(200)
  expect((await phone(1, 'bob', '198.51.100.1')).status).toBe(200)
})

test('the many networks of one owner do not keep others from beginning in a demo', async () => {
  const phone = (i: number, address: string) =>
    attemptPhoneToken(nodeAt(nodes, i).origin, `demo:crowd ${i}`, from(address))
  const flood: { status: number }[] = []
  for (let network = 0; network < 16; network++)
    flood.push(...(await many(20, (i) => phone(100 * network + i, `2001:db8:7:${network}::1`))))
  // Half of what all may make, what the owner may as one network, and a slice of each node.
  const made = flood.filter(({ status }) => status === 200).length
  expect(made).toBeLessThanOrEqual(100 + 20 + 2 * 5)
  expect((await phone(9_001, '198.51.102.1')).status).toBe(200)
  expect((await phone(9_002, '2001:db8:8::1')).status).toBe(200)
})
