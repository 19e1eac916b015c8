import type { Problem, TicketLink } from '@saoma/protocol'
import {
  attemptPhoneToken,
  type Cluster,
  confirm,
  createTicket,
  phoneToken,
  poll,
  redeem,
  reject,
  request,
  scan,
  startCluster,
  startGateway,
} from '@saoma/testing'
import { nodeAt } from './fixtures.ts'

let cluster: Cluster

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2, simulator: true, env: { SAOMA_DEMO: 'false' } })
})
afterEach(() => fetch(`${cluster.simulator?.origin}/simulator/faults`, { method: 'DELETE' }))

const simulator = async <T>(path: string, body?: object) => {
  const { body: answer, status } = await request<T>(`${cluster.simulator?.origin}/simulator${path}`, {
    ...(body ? { json: body } : {}),
  })
  return { ...answer, status }
}
const phone = async (person: string) => {
  const { js_code } = await simulator<{ js_code: string }>('/login', { person })
  return (await attemptPhoneToken(cluster.origin, js_code)).body.access_token
}
const linksMade = async () => (await simulator<{ links: number }>('/counters')).links

const ask = (origin: string, ticket: string, bearer?: string) =>
  request<TicketLink & Problem>(`${origin}/v1/tickets/${ticket}/link`, {
    method: 'POST',
    ...(bearer ? { bearer } : {}),
  })
/** What the browser that shows the code asks. */
const linkOf = ({ ticket, device_code }: { ticket: string; device_code: string }, origin = cluster.origin) =>
  ask(origin, ticket, device_code)

test('the link opens the page of the code for this ticket, and its visitor can log in', async () => {
  const code = await createTicket(cluster.origin)
  const { status, body, headers } = await linkOf(code)
  expect([status, headers.get('cache-control')]).toEqual([200, 'no-store'])
  expect(body).toEqual({ url: expect.stringMatching(/^https:\/\/wxaurl\.cn\//), expiresIn: expect.any(Number) })
  const { expires_in } = code
  expect(body.expiresIn).toBeGreaterThan(expires_in)

  const opened = await simulator<{ path: string; query: { scene: string } }>('/links/open', { url: body.url })
  expect(opened).toMatchObject({ path: 'pages/login/index', query: { scene: code.ticket }, scene: 1194 })
  const token = await phone('li')
  await scan(cluster.origin, opened.query.scene, token)
  await confirm(cluster.origin, opened.query.scene, token)
  expect((await redeem(cluster.origin, code.device_code)).status).toBe(200)
})

test('a page that is loaded again gets the same link, and six at most from all nodes', async () => {
  const code = await createTicket(cluster.origin)
  const before = await linksMade()
  const node = nodeAt(cluster.nodes, 0).origin
  const [first, ...again] = await Promise.all([linkOf(code, node), linkOf(code, node), linkOf(code, node)])
  expect(again.map(({ body }) => body.url)).toEqual([first.body.url, first.body.url])
  expect(await linksMade()).toBe(before + 1)
  const others = await Promise.all(Array.from({ length: 6 }, () => linkOf(code, cluster.nodes[1]?.origin)))
  expect(others.map(({ status }) => status).sort()).toEqual([200, 200, 200, 429, 429, 429])
  expect(await linksMade()).toBe(before + 2)
})

// Not a phone, not another browser, and not somebody who saw the code.
test('only the browser that shows the code gets its link', async () => {
  const [code, other] = await Promise.all([createTicket(cluster.origin), createTicket(cluster.origin)])
  const before = await linksMade()
  const wrong = `${code.ticket}${other.device_code.slice(22)}`
  const tries: [string, string | undefined, number, string][] = [
    [code.ticket, undefined, 401, 'UNAUTHORIZED'],
    [code.ticket, await phone('wang'), 404, 'TICKET_NOT_FOUND'],
    [code.ticket, other.device_code, 404, 'TICKET_NOT_FOUND'],
    [code.ticket, wrong, 404, 'TICKET_NOT_FOUND'],
    [other.ticket, code.device_code, 404, 'TICKET_NOT_FOUND'],
    ['x', code.device_code, 404, 'TICKET_NOT_FOUND'],
  ]
  for (const [ticket, bearer, status, problem] of tries)
    expect(await ask(cluster.origin, ticket, bearer)).toMatchObject({ status, body: { code: problem } })
  expect(await linksMade()).toBe(before)
})

test('a link exists only while the code waits to be scanned', async () => {
  const token = await phone('zhao')
  const code = await createTicket(cluster.origin)
  await scan(cluster.origin, code.ticket, token)
  expect(await linkOf(code)).toMatchObject({ status: 409, body: { code: 'TICKET_TAKEN' } })
  await reject(cluster.origin, code.ticket, token)
  expect(await linkOf(code)).toMatchObject({ status: 409, body: { code: 'TICKET_SETTLED' } })

  const used = await createTicket(cluster.origin)
  await scan(cluster.origin, used.ticket, token)
  await confirm(cluster.origin, used.ticket, token)
  expect((await linkOf(used)).body.code).toBe('TICKET_SETTLED')
  await redeem(cluster.origin, used.device_code)
  expect(await linkOf(used)).toMatchObject({ status: 410, body: { code: 'TICKET_EXPIRED' } })
})

// The log tells of it without the link.
test('a WeChat that makes no link causes a 502, and the next try may work', async () => {
  const code = await createTicket(cluster.origin)
  const node = cluster.nodes[0]
  await simulator('/faults', { path: '/wxa/generate_urllink', kind: 'errcode', errcode: 45009, times: 1 })
  const failed = await linkOf(code, node?.origin)
  expect(failed).toMatchObject({ status: 502, body: { code: 'WECHAT_UNAVAILABLE', react: 'retry' } })
  const { status, body } = await linkOf(code, node?.origin)
  expect(status).toBe(200)
  const log = node?.lines.map(({ text }) => text).join('\n') ?? ''
  expect(log).toContain('45009')
  expect(log).not.toContain(body.url)
  expect(log).not.toContain(code.device_code)
})

test('WECHAT_LINK selects the scheme of the link or none; the picture says if there is one', async () => {
  const start = (nodeId: string, WECHAT_LINK: string) =>
    startGateway({
      redisUrl: cluster.redis.url,
      nodeId,
      origin: cluster.origin,
      env: { ...cluster.simulator?.env, SAOMA_DEMO: 'false', WECHAT_LINK },
    })
  const [scheme, none] = await Promise.all([start('s', 'scheme'), start('n', 'none')])
  const code = await createTicket(cluster.origin)
  const hasLink = async (origin: string) =>
    (
      await request<{ link: boolean }>(code.qr.replace(cluster.origin, origin), {
        headers: { accept: 'application/json' },
      })
    ).body.link

  const { body } = await linkOf(code, scheme.origin)
  expect(body.url).toMatch(/^weixin:\/\/dl\/business\/\?t=/)
  expect(await simulator('/links/open', { url: body.url })).toMatchObject({ query: { scene: code.ticket } })
  expect(await linkOf(code, none.origin)).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } })
  expect(await request(`${none.origin}/v1/link`)).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } })
  expect([await hasLink(scheme.origin), await hasLink(none.origin)]).toEqual([true, false])
})

test('the link to the page for typed codes is public, made once and without a ticket', async () => {
  const before = await linksMade()
  const toType = (origin = cluster.nodes[0]?.origin) => request<TicketLink & Problem>(`${origin}/v1/link`)
  const [first, ...again] = await Promise.all([toType(), toType(), toType()])
  expect(first).toMatchObject({ status: 200, body: { url: expect.stringMatching(/^https:\/\/wxaurl\.cn\//) } })
  expect(first.body.expiresIn).toBeGreaterThan(43_200)
  expect(again.map(({ body }) => body.url)).toEqual([first.body.url, first.body.url])
  expect(await linksMade()).toBe(before + 1)
  expect(await simulator('/links/open', { url: first.body.url })).toMatchObject({
    path: 'pages/login/index',
    query: {},
  })

  const other = cluster.nodes[1]?.origin
  await simulator('/faults', { path: '/wxa/generate_urllink', kind: 'errcode', errcode: 45009, times: 1 })
  const failed = { status: 502, body: { code: 'WECHAT_UNAVAILABLE', react: 'retry' } }
  expect([await toType(other), await toType(other)]).toMatchObject([failed, failed])
})

test('codes that any camera can read lead to the page of this cluster', async () => {
  const demo = await startGateway({ redisUrl: cluster.redis.url, nodeId: 'd', origin: cluster.origin })
  const code = await createTicket(demo.origin)
  const { body } = await linkOf(code, demo.origin)
  expect(body).toEqual({ url: `${cluster.origin}/phone?ticket=${code.ticket}`, expiresIn: expect.closeTo(120, -2) })
  const token = await phoneToken(demo.origin, 'li')
  await scan(demo.origin, code.ticket, token)
  expect((await poll(demo.origin, code.device_code)).body.status).toBe('scanned')
})
