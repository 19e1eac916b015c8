import { createTicket, type RequestOptions, request, startCluster } from '@saoma/testing'
import { nodeAt } from './fixtures.ts'

const page = 'https://www.example.com'
const app = 'capacitor://localhost'
const foreign = 'https://evil.example'
const [busy, calm] = await Promise.all(
  ['40', '1000000'].map((requests) =>
    startCluster({
      nodes: 1,
      env: {
        SAOMA_ALLOWED_ORIGINS: `${page},${app}`,
        SAOMA_LIMIT_CODES: '1',
        SAOMA_LIMIT_REQUESTS: requests,
        SAOMA_LIMIT_HANDSHAKES: '3',
      },
    }),
  ),
)
if (!busy || !calm) throw new Error('there is no cluster')
// The one code that an address may have here.
const { ticket } = await createTicket(nodeAt(calm.nodes, 0).origin)

const ask = (cluster: typeof calm, path: string, options: RequestOptions = {}, origin = page) =>
  request(`${cluster.origin}${path}`, { ...options, headers: { origin, ...options.headers } })
type Answer = Awaited<ReturnType<typeof ask>>
/** What the page may read of an answer besides its body: `null` when a browser shows it nothing at all. */
const readable = ({ headers }: Answer): string | null => {
  const to = headers.get('access-control-allow-origin')
  return to === null ? null : `${to} ${headers.get('access-control-expose-headers')}`
}
const preflight = (cluster: typeof calm, path: string, origin = page, headers = 'authorization') =>
  ask(
    cluster,
    path,
    {
      method: 'OPTIONS',
      headers: { 'access-control-request-method': 'POST', 'access-control-request-headers': headers },
    },
    origin,
  )
const newCode = { form: { client_id: 'web', scope: 'openid' } }
const form = { client_id: 'web', grant_type: 'refresh_token', refresh_token: 'x' }

test('a page of an allowed origin can read every refusal and how long to wait', async () => {
  const answers: [number, Answer][] = [
    [429, await ask(calm, '/oidc/device/auth', newCode)],
    [400, await ask(calm, '/oidc/token', { form })],
    [405, await ask(calm, '/oidc/token')],
    [413, await ask(calm, '/oidc/token', { json: 'x'.repeat(70_000) })],
    [401, await ask(calm, '/v1/sessions')],
    [404, await ask(calm, '/v1/nothing')],
    [405, await ask(calm, '/v1/publish')],
    [413, await ask(calm, '/v1/tickets/x/scan', { json: 'x'.repeat(70_000) })],
  ]
  for (const [status, answer] of answers) {
    expect(answer.status).toBe(status)
    expect(readable(answer)).toMatch(/^(https:\/\/www\.example\.com|\*) .*Retry-After.*X-Request-Id/)
  }
  expect(answers[0]?.[1].headers.get('retry-after')).toMatch(/^\d+$/)
})

test('a page of an allowed origin can read a 429, and its preflights are not counted', async () => {
  for (let i = 0; i < 60; i++) expect((await preflight(busy, '/v1/sessions')).status).toBe(204)
  expect((await ask(busy, '/v1/sessions')).status).toBe(401)
  let answer = await ask(busy, '/v1/sessions')
  for (let i = 0; i < 60 && answer.status === 401; i++) answer = await ask(busy, '/v1/sessions')
  expect([answer.status, readable(answer)]).toEqual([429, expect.stringMatching(/^https:.*Retry-After/)])
  const token = await ask(busy, '/oidc/token', { form })
  expect([token.status, readable(token)]).toEqual([429, expect.stringMatching(/^https:.*Retry-After/)])
  expect((await preflight(busy, '/oidc/token')).status).toBe(204)
})

test('the tracing tool of a page may add its headers', async () => {
  const headers = 'authorization,baggage,content-type,sentry-trace,traceparent,tracestate,x-b3-traceid'
  for (const path of ['/v1/tickets/x/scan', '/oidc/token']) {
    const answer = await preflight(calm, path, page, headers)
    expect([answer.status, answer.headers.get('access-control-allow-headers')]).toEqual([204, headers])
  }
})

test('pages in applications are admitted by their origins; null and similar ones are not', async () => {
  expect(readable(await ask(calm, '/v1/sessions', {}, app))).toMatch(/^capacitor:\/\/localhost /)
  for (const origin of ['null', 'capacitor://other', 'tauri://localhost', 'file://'])
    expect(await ask(calm, '/v1/sessions', {}, origin)).toMatchObject({
      status: 403,
      body: { code: 'ORIGIN_NOT_ALLOWED', detail: `SAOMA_ALLOWED_ORIGINS does not name ${origin}` },
    })
})

test('a page of a foreign origin can read its refusal at every door, and does nothing', async () => {
  const doors = [`/v1/tickets/${ticket}/cancel`, '/v1/publish', '/oidc/token', '/oidc/device/auth']
  for (const path of doors) {
    const before = await preflight(calm, path, foreign)
    expect([before.status, before.headers.get('access-control-allow-origin')]).toEqual([204, '*'])
    const answer = await ask(calm, path, { form }, foreign)
    expect(answer).toMatchObject({ status: 403, body: { code: 'ORIGIN_NOT_ALLOWED' } })
    expect(readable(answer)).toMatch(/^\* /)
  }
  const handshake = await ask(calm, '/socket.io/?EIO=4&transport=polling', {}, foreign)
  expect(handshake).toMatchObject({ status: 403, body: { code: 'ORIGIN_NOT_ALLOWED' } })
  expect(readable(handshake)).toMatch(/^\* .*Retry-After/)
})

test('a page can read the refusal of a handshake that comes too soon', async () => {
  const shake = () => ask(calm, '/socket.io/?EIO=4&transport=polling')
  let answer = await shake()
  for (let i = 0; i < 10 && answer.status === 200; i++) answer = await shake()
  expect([answer.status, readable(answer)]).toEqual([429, expect.stringMatching(/^https:.*Retry-After/)])
})

test('a page can read that no node answers', async () => {
  await nodeAt(calm.nodes, 0).kill()
  expect((await preflight(calm, '/v1/sessions')).status).toBe(204)
  const answer = await ask(calm, '/v1/sessions')
  expect(answer).toMatchObject({ status: 502, body: { react: 'retry' } })
  expect(readable(answer)).toMatch(/^\* .*Retry-After/)
})
