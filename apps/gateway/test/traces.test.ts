import { randomBytes } from 'node:crypto'
import {
  attemptPhoneToken,
  attemptTicket,
  confirm,
  connectLogin,
  createTicket,
  type Gateway,
  redeem,
  request,
  scan,
  startCluster,
  startGateway,
  startRedis,
} from '@saoma/testing'
import { type Span, startCollector } from './collector.ts'

/** A client that traces, and the header that it sends. */
const startTrace = (sampled = true) => {
  const [traceId, spanId] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')]
  return { traceId, spanId, headers: { traceparent: `00-${traceId}-${spanId}-${sampled ? '01' : '00'}` } }
}

/**
 * Prints what a process loads of OpenTelemetry, but for its interface, which prom-client has for uses of its
 * own, and of what is ours, but for what loads the rest.
 */
const watchLoads = {
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(`
    import { registerHooks } from 'node:module'
    registerHooks({ load: (url, context, next) => {
      if (/opentelemetry\\/(?!api\\/)|tracing\\/(?!trace\\.ts|options\\.ts)/.test(url)) process.stdout.write(JSON.stringify({ loads: url }) + '\\n')
      return next(url, context)
    } })`)}`,
}
const loadsOf = ({ lines }: Gateway) => lines.filter(({ json }) => typeof json?.loads === 'string').length

// Nothing secret is in it.
test('a login across two nodes is one trace with Redis and WeChat below its requests', async () => {
  const collector = await startCollector()
  const cluster = await startCluster({
    nodes: 2,
    simulator: true,
    env: { SAOMA_DEMO: 'false', OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, OTEL_SERVICE_NAME: 'shop-login' },
  })
  const { traceId, spanId, headers } = startTrace()

  // Through nginx, which has to pass the header on; the phone goes to the other node.
  const created = await attemptTicket(cluster.origin, { headers })
  const { device_code: deviceCode, ticket } = created.body
  const browserAt = cluster.nodes.find(({ id }) => id === created.headers.get('x-saoma-node')) as Gateway
  const phoneAt = cluster.nodes.find((node) => node !== browserAt) as Gateway
  const browser = connectLogin(browserAt.origin)
  await browser.watch(deviceCode)
  await request(`${browserAt.origin}/v1/tickets/${ticket}/qr?secret=in-a-query`, { headers })
  const { js_code: jsCode } = (
    await request<{ js_code: string }>(`${cluster.simulator?.origin}/simulator/login`, { json: { person: 'li' } })
  ).body
  const phone = (await attemptPhoneToken(phoneAt.origin, jsCode, { headers })).body.access_token
  await scan(phoneAt.origin, ticket, phone, { headers })
  await confirm(phoneAt.origin, ticket, phone, { headers })
  const { body: tokens } = await redeem(browserAt.origin, deviceCode, { headers })
  browser.close()
  // What is left of the spans is sent when a node ends.
  await cluster.stop()

  const spans = collector.spans()
  const ours = spans.filter((span) => span.traceId === traceId)
  const named = (name: string): Span => {
    const found = ours.filter((span) => span.name === name)
    expect([name, found.length]).toEqual([name, 1])
    return found[0] as Span
  }
  const requests = {
    'POST /oidc/device/auth': browserAt,
    'GET /v1/tickets/:ticket/qr': browserAt,
    'POST /v1/tickets/:ticket/scan': phoneAt,
    'POST /v1/tickets/:ticket/confirm': phoneAt,
  }
  for (const [name, node] of Object.entries(requests)) {
    const { parentSpanId, attributes, ...span } = named(name)
    expect([name, span.node, parentSpanId, span.failed]).toEqual([name, node.id, spanId, false])
    expect(attributes).toMatchObject({ 'http.response.status_code': 200, 'saoma.ticket': ticket })
  }
  const tokenRequests = ours.filter(({ name }) => name === 'POST /oidc/token')
  expect(tokenRequests.map(({ node, parentSpanId }) => [node, parentSpanId]).sort()).toEqual(
    [
      [browserAt.id, spanId],
      [phoneAt.id, spanId],
    ].sort(),
  )

  const parentOf = (name: string) => ours.find((span) => span.spanId === named(name).parentSpanId)
  const auth = named('POST /oidc/device/auth')
  expect(ours.filter(({ parentSpanId }) => parentSpanId === auth.spanId).map(({ name }) => name)).toContain('redis set')
  expect(parentOf('tickets create')?.name).toBe('POST /oidc/device/auth')
  expect(parentOf('tickets confirm')).toMatchObject({ name: 'POST /v1/tickets/:ticket/confirm', node: phoneAt.id })
  expect(parentOf('tickets redeem')).toMatchObject({ name: 'POST /oidc/token', node: browserAt.id })
  expect(parentOf('wechat code')).toMatchObject({ name: 'GET /v1/tickets/:ticket/qr', node: browserAt.id })
  expect(parentOf('wechat session')).toMatchObject({ name: 'POST /oidc/token', node: phoneAt.id })
  expect(named('wechat session').attributes).toMatchObject({ 'saoma.wechat.outcome': 'answer' })

  // A socket's event begins a trace of its own.
  const watch = spans.find(({ name }) => name === 'socket watch')
  expect(watch).toMatchObject({ parentSpanId: undefined, node: browserAt.id })
  expect(spans.filter(({ parentSpanId }) => parentSpanId === watch?.spanId).map(({ name }) => name)).toContain(
    'tickets read',
  )

  const said = collector.bodies.join('\n')
  expect(said).toContain('shop-login')
  const secrets = [
    deviceCode,
    deviceCode.slice(22),
    jsCode,
    phone,
    tokens.access_token,
    tokens.refresh_token,
    tokens.id_token,
  ]
  const secret = cluster.simulator?.env.WECHAT_SECRET
  for (const one of [...secrets, secret, 'in-a-query', 'openid', 'Bearer', '?', 'js_code', '127.0.0.1/'])
    expect([one, said.includes(String(one))]).toEqual([one, false])
  // Each a JWT or a code that would stand out even in part.
  expect(said).not.toMatch(/eyJ[A-Za-z0-9_-]{10}/)
})

test('tracing is loaded only with an endpoint, and a sampler may overrule the client', async () => {
  const collector = await startCollector()
  const redis = await startRedis()
  const start = (nodeId: string, env: Record<string, string>) =>
    startGateway({ redisUrl: redis.url, nodeId, origin: 'http://127.0.0.1', env: { ...watchLoads, ...env } })
  const on = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint }
  const [off, all, none] = await Promise.all([
    start('a', { OTEL_EXPORTER_OTLP_ENDPOINT: '' }),
    start('b', on),
    start('c', { ...on, OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' }),
  ])
  expect(loadsOf(off)).toBe(0)
  expect(loadsOf(all)).toBeGreaterThan(10)

  const [wanted, unwanted] = [startTrace(), startTrace(false)]
  for (const { origin } of [off, all, none])
    for (const { headers } of [wanted, unwanted]) await createTicket(origin, { headers })
  await Promise.all([off, all, none].map((node) => node.stop()))
  const spans = collector.spans()
  expect(new Set(spans.map(({ node }) => node))).toEqual(new Set(['b']))
  expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([wanted.traceId]))
})

test('an absent collector delays neither requests nor the end of a node, and is logged', async () => {
  const redis = await startRedis()
  const node = await startGateway({
    redisUrl: redis.url,
    nodeId: 'a',
    origin: 'http://127.0.0.1',
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_EXPORTER_OTLP_TIMEOUT: '500' },
  })
  await createTicket(node.origin)
  const told = node.nextLine(({ json }) => json?.event === 'traces')
  await node.stop()
  expect((await told).json).toMatchObject({ level: 'warn', message: expect.any(String) })
  expect(await node.exited).toEqual({ code: 0, signal: null })
})
