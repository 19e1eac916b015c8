import { connect } from 'node:net'
import {
  type Cluster,
  type Gateway,
  metricOf,
  onCleanup,
  request,
  startCluster,
  startGateway,
  testAdminKey,
  testApiKey,
  until,
} from '@saoma/testing'
import { createMetrics } from '../src/operate/metrics.ts'
import { createOperatorServer } from '../src/operate/operator-server.ts'
import { nodeAt } from './fixtures.ts'

interface Body {
  code?: string
  detail?: string
  nodes?: { id: string }[]
}
const LARGE = 'x'.repeat(65_537)
let cluster: Cluster
let open: Gateway

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2, envOf: (id) => ({ SAOMA_ADMIN_API: id === 'b' ? 'public' : 'internal' }) })
  open = nodeAt(cluster.nodes, 1)
})
const ask = (origin: string, path: string, options: object = {}) =>
  request<Body>(`${origin}/v1/admin/${path}`, { bearer: testAdminKey, ...options })

/** The routes, with what each of them has to answer to an administrator. */
const ROUTES = ['audit', 'logins', 'logins?state=live', 'channels', 'channels/room:x', 'nodes']

test('by default there is nothing at the public origin, and the internal port is not behind nginx', async () => {
  const closed = nodeAt(cluster.nodes, 0)
  for (const path of [...ROUTES, 'no-such-route', '']) {
    const { status, body } = await ask(closed.origin, path)
    expect([path, status, body.code]).toEqual([path, 404, 'NOT_FOUND'])
  }
  expect((await ask(closed.origin, 'nodes/b/drain', { method: 'POST' })).status).toBe(404)
  for (const path of ROUTES) expect([path, (await ask(closed.internalOrigin, path)).status]).toEqual([path, 200])
  for (const path of ['/metrics', '/readyz', '/healthz', '/proxies/x/leave'])
    expect([path, (await request(`${cluster.origin}${path}`)).status]).toEqual([path, 404])
})

test('with SAOMA_ADMIN_API=public the same routes are there, through nginx too', async () => {
  for (const path of ROUTES) expect([path, (await ask(open.origin, path)).status]).toEqual([path, 200])
  const { body } = await until(
    () => ask(open.origin, 'nodes'),
    (answer) => answer.body.nodes?.length === 2,
  )
  expect(body.nodes?.map(({ id }) => id)).toEqual(['a', 'b'])
  expect((await ask(open.origin, 'no-such-route')).body.code).toBe('NOT_FOUND')
  expect((await ask(open.origin, 'nodes', { method: 'PUT' })).body.code).toBe('METHOD_NOT_ALLOWED')
  expect((await ask(open.origin, 'nodes', { bearer: testApiKey })).body.code).toBe('SCOPE_MISSING')
  expect((await request<Body>(`${open.origin}/v1/admin/nodes`)).body.code).toBe('UNAUTHORIZED')
  // nginx takes any node, of which one has no such routes.
  const [status, answers] = [new Set<number>(), 12]
  for (let i = 0; i < answers; i++) status.add((await ask(cluster.origin, 'nodes?limit=1')).status)
  expect([...status].sort()).toEqual([200, 404])
  const trimmed = await until(
    () => ask(cluster.origin, 'channels/room:x/messages?before=1', { method: 'DELETE' }),
    (answer) => answer.status === 200,
  )
  expect(trimmed.body).toMatchObject({ trimmed: 0 })
})

test('what an administrator changes is logged at the public port, without the name of a channel', async () => {
  await ask(open.origin, 'channels/room:logged/messages?before=1', { method: 'DELETE' })
  const { json } = await open.nextLine(({ json: line }) => line?.event === 'request' && line.method === 'DELETE')
  expect(json).toMatchObject({ path: '/v1/admin/channels/:channel/messages', status: 200, key: 'admin' })
})

test('no page may use them, of whichever origin it is', async () => {
  for (const origin of [cluster.origin, 'https://page.example', 'https://servicewechat.com'])
    for (const how of [{ method: 'OPTIONS' }, {}]) {
      const headers = { origin, 'access-control-request-method': 'GET' }
      const { status, headers: told, body } = await ask(open.origin, 'nodes', { ...how, headers })
      expect([status, body.code]).toEqual([403, 'ORIGIN_NOT_ALLOWED'])
      expect(told.get('access-control-allow-origin')).toBeNull()
    }
})

test.each(['origin', 'internalOrigin'] as const)('bodies and rates are bounded at the %s', async (port) => {
  const post = (options: object) => ask(open[port], 'nodes/a/drain', { method: 'POST', ...options })
  expect((await post({ json: { text: LARGE } })).body).toMatchObject({ code: 'TOO_LARGE' })
  // Rights come first: a stranger's body is not read.
  expect((await post({ json: { text: 'x' }, bearer: testApiKey })).body.code).toBe('SCOPE_MISSING')
  expect((await post({ json: { text: 'x' } })).body).toMatchObject({
    code: 'INVALID',
    detail: 'there is no member text',
  })

  const few = await startGateway({
    redisUrl: cluster.redis.url,
    nodeId: port === 'origin' ? 'c' : 'd',
    origin: cluster.origin,
    env: { SAOMA_ADMIN_API: 'public', SAOMA_LIMIT_REQUESTS: '5' },
  })
  const stranger = () => ask(few[port], 'nodes', { bearer: 'saoma_stranger_x' })
  const refused = await until(stranger, ({ status }) => status === 429)
  expect(refused.body.code).toBe('RATE_LIMITED')
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(await metricOf(few, 'saoma_ratelimited_total{what="requests"}')).toBeGreaterThan(0)
  // An administrator has a limit of its own.
  expect((await ask(few[port], 'nodes')).status).toBe(200)
})

test('a request that does not come to its end is ended at the internal port', async () => {
  const { server } = createOperatorServer(createMetrics())
  expect([server.requestTimeout, server.headersTimeout]).toEqual([60_000, 15_000])
  const quick = createOperatorServer(createMetrics(), {
    ...{ requestTimeout: 200, headersTimeout: 200, connectionsCheckingInterval: 50 },
  })
  await new Promise<void>((resolve) => quick.server.listen(0, '127.0.0.1', resolve))
  onCleanup(() => void quick.server.close())
  const address = quick.server.address()
  const socket = connect({ host: '127.0.0.1', port: typeof address === 'object' && address ? address.port : 0 })
  let text = ''
  socket.on('data', (bytes) => {
    text += bytes
  })
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.write('POST /proxies/x/leave HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n')
  await ended
  expect(text).toMatch(/^HTTP\/1\.1 408 /)
})
