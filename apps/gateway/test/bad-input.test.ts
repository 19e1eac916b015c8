import {
  attemptPhoneToken,
  type Cluster,
  confirm,
  createTicket,
  phoneToken,
  poll,
  request,
  scan,
  startCluster,
} from '@saoma/testing'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { failuresOf } from './fixtures.ts'

let cluster: Cluster
let origin: string
let alice: string

beforeAll(async () => {
  // LOG_LEVEL=debug, because a refusal must leave a line and the routine ones are at debug.
  cluster = await startCluster({ nodes: 2, env: { LOG_LEVEL: 'debug' } })
  origin = cluster.origin
  alice = await phoneToken(origin, 'alice')
})

/** The line that the answering node logged under the same request id. */
const logged = async ({ headers }: { headers: Headers }) => {
  const node = cluster.nodes.find(({ id }) => id === headers.get('x-saoma-node'))
  return (await node?.nextLine(({ json }) => json?.request === headers.get('x-request-id')))?.json
}

/** A refusal is a problem with the code, and a log line. */
const refused = async (answer: { status: number; headers: Headers; body: unknown }, status: number, code: string) => {
  expect(answer.headers.get('content-type')).toBe('application/problem+json')
  expect(answer).toMatchObject({ status, body: { code, status } })
  expect(await logged(answer)).toMatchObject({ event: 'request', status, code })
}

describe('the routes of a ticket', () => {
  const nobody = 'A'.repeat(22)

  test.each([
    ['no such address', 'GET', '/v1/nothing', 404, 'NOT_FOUND'],
    ['a wrong method', 'GET', `/v1/tickets/${nobody}/scan`, 405, 'METHOD_NOT_ALLOWED'],
    ['another wrong method', 'DELETE', `/v1/tickets/${nobody}`, 405, 'METHOD_NOT_ALLOWED'],
    ['an address that is not UTF-8', 'GET', '/v1/tickets/%ff%fe', 401, 'UNAUTHORIZED'],
    ['no credentials', 'GET', `/v1/tickets/${nobody}`, 401, 'UNAUTHORIZED'],
    ['no credentials to confirm', 'POST', `/v1/tickets/${nobody}/confirm`, 401, 'UNAUTHORIZED'],
    ['a picture of a ticket that is not there', 'GET', `/v1/tickets/${nobody}/qr`, 404, 'TICKET_NOT_FOUND'],
    [
      'a scene with an injection',
      'GET',
      `/v1/tickets/${encodeURIComponent("x' OR 1=1 --")}/qr`,
      404,
      'TICKET_NOT_FOUND',
    ],
    ['a scene that climbs', 'GET', '/v1/tickets/..%2f..%2fetc%2fpasswd/qr', 404, 'TICKET_NOT_FOUND'],
    ['a diagnosis for a stranger', 'GET', '/v1/diagnosis', 404, 'NOT_FOUND'],
    ['a resume without the cookie', 'POST', `/v1/tickets/${nobody}/resume`, 401, 'UNAUTHORIZED'],
  ])('%s: the request is refused', async (_, method, path, status, code) => {
    const answer = await request(`${origin}${path}`, { method })
    if (path.includes('%ff')) expect([400, 401, 404, 422]).toContain(answer.status)
    else await refused(answer, status, code)
  })

  test.each(['after=-1', 'after=x', 'after=1&after=2', 'wait=1e3', 'wait=', 'after=99999999999999999999'])(
    'a cursor such as %s is refused',
    async (query) => {
      const { device_code, ticket } = await createTicket(origin)
      await refused(await request(`${origin}/v1/tickets/${ticket}?${query}`, { bearer: device_code }), 422, 'INVALID')
    },
  )

  test('a phone’s call ignores its body, unless the body is too large', async () => {
    const { ticket } = await createTicket(origin)
    const post = (body: BodyInit, type: string) =>
      fetch(`${origin}/v1/tickets/${ticket}/scan`, {
        method: 'POST',
        body,
        headers: { authorization: `Bearer ${alice}`, 'content-type': type },
      })
    for (const [body, type] of [
      ['{"a":', 'application/json'],
      ['\xff\xfe', 'text/plain'],
      ['x=1', 'nonsense/;;'],
    ] as const) {
      expect((await post(body, type)).status).toBe(200)
    }
    const large = await post('x'.repeat(70_000), 'application/json')
    expect([large.status, await large.json()]).toEqual([413, expect.objectContaining({ code: 'TOO_LARGE' })])
    const direct = await fetch(`${cluster.nodes[0]?.origin}/v1/tickets/${ticket}/scan`, {
      method: 'POST',
      body: 'x'.repeat(70_000),
    }).catch(() => undefined)
    expect(direct?.status ?? 413).toBe(413)
  })

  test('a foreign origin is refused whatever it sends, and changes nothing', async () => {
    const { ticket, device_code } = await createTicket(origin)
    const foreign = await scan(origin, ticket, alice, { headers: { origin: 'https://evil.example' } })
    await refused(foreign, 403, 'ORIGIN_NOT_ALLOWED')
    // Its page can read why, and nothing else.
    expect(foreign.headers.get('access-control-allow-origin')).toBe('*')
    expect((await poll(origin, device_code)).body).toMatchObject({ status: 'pending', version: 1 })

    const token = await request(`${origin}/oidc/token`, {
      form: { client_id: 'web', grant_type: 'refresh_token', refresh_token: 'x' },
      headers: { origin: 'https://evil.example' },
    })
    expect(token).toMatchObject({ status: 403, body: { error: 'invalid_request', code: 'ORIGIN_NOT_ALLOWED' } })
    // The operator sees which origin to allow, if it is one of theirs.
    expect(await logged(token)).toMatchObject({ reason: expect.stringContaining('https://evil.example') })
  })
})

describe('access tokens', () => {
  const claims = () => ({ sub: 'victim', client_id: 'phone', scope: 'openid' })
  const text = (part: unknown) => Buffer.from(JSON.stringify(part)).toString('base64url')
  const sign = async (
    key: CryptoKey,
    over: { issuer?: string; audience?: string; typ?: string; kid?: string; expires?: number } = {},
  ) =>
    new SignJWT(claims())
      .setProtectedHeader({ alg: 'ES256', typ: over.typ ?? 'at+jwt', ...(over.kid ? { kid: over.kid } : {}) })
      .setIssuer(over.issuer ?? `${origin}/oidc`)
      .setAudience(over.audience ?? origin)
      .setIssuedAt()
      .setExpirationTime(over.expires ?? Math.floor(Date.now() / 1000) + 600)
      .sign(key)

  test('forged tokens of every kind are refused and change nothing', async () => {
    const { ticket, device_code } = await createTicket(origin)
    const [header = '', payload = '', signature = ''] = alice.split('.')
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
    const kid = JSON.parse(Buffer.from(header, 'base64url').toString()).kid
    const forgeries = [
      'x',
      'a.b.c',
      `${header}.${payload}.`,
      `${header}.${payload}.${signature.slice(0, -4)}AAAA`,
      `${header}.${text({ ...JSON.parse(Buffer.from(payload, 'base64url').toString()), sub: 'victim' })}.${signature}`,
      `${text({ alg: 'none', typ: 'at+jwt' })}.${payload}.`,
      `${text({ alg: 'none', typ: 'at+jwt', kid })}.${payload}.${signature}`,
      `${text({ alg: 'HS256', typ: 'at+jwt', kid })}.${payload}.${signature}`,
      `${text({ alg: 'ES256', typ: 'at+jwt', jwk: await exportJWK(publicKey) })}.${payload}.${signature}`,
      await sign(privateKey),
      await sign(privateKey, { kid }),
      'é'.repeat(10),
      'x'.repeat(5_000),
    ]
    for (const forged of forgeries) {
      const answer = await request(`${origin}/v1/tickets/${ticket}/scan`, {
        method: 'POST',
        headers: { authorization: `Bearer ${encodeURI(forged)}` },
      })
      await refused(answer, 401, 'UNAUTHORIZED')
      expect(answer.headers.get('www-authenticate')).toBe('Bearer')
    }
    expect((await poll(origin, device_code)).body).toMatchObject({ status: 'pending', version: 1 })
  })

  test('an id token, a browser’s token and a device code do not count as a phone’s token', async () => {
    const { ticket, device_code } = await createTicket(origin)
    await scan(origin, ticket, alice)
    await confirm(origin, ticket, alice)
    const { body } = await request<{ access_token: string; id_token: string }>(`${origin}/oidc/token`, {
      form: { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', client_id: 'web', device_code },
    })
    const other = await createTicket(origin)
    await refused(await scan(origin, other.ticket, body.access_token), 403, 'FORBIDDEN')
    await refused(await scan(origin, other.ticket, body.id_token), 401, 'UNAUTHORIZED')
    await refused(await scan(origin, other.ticket, other.device_code), 401, 'UNAUTHORIZED')
  })
})

describe('the OAuth routes', () => {
  const token = (form: Record<string, string>) => request(`${origin}/oidc/token`, { form })

  test.each([
    [{}, 'invalid_request'],
    [{ client_id: 'web' }, 'invalid_request'],
    [{ client_id: 'nobody', grant_type: 'refresh_token' }, 'invalid_client'],
    [{ client_id: 'web', grant_type: 'password' }, 'unsupported_grant_type'],
    [{ client_id: 'web', grant_type: 'urn:saoma:grant-type:wx-code', code: 'demo:alice' }, 'invalid_request'],
    [{ client_id: 'phone', grant_type: 'refresh_token', refresh_token: 'x' }, 'invalid_request'],
    [{ client_id: 'web', grant_type: 'refresh_token', refresh_token: '\u0000' }, 'invalid_grant'],
    [{ client_id: 'phone', grant_type: 'urn:saoma:grant-type:wx-code' }, 'invalid_request'],
    [{ client_id: 'phone', grant_type: 'urn:saoma:grant-type:wx-code', code: 'x'.repeat(129) }, 'invalid_request'],
    [{ client_id: 'phone', grant_type: 'urn:saoma:grant-type:wx-code', code: 'demo:' }, 'invalid_grant'],
    [{ client_id: 'phone', grant_type: 'urn:saoma:grant-type:wx-code', code: 'demo:<script>' }, 'invalid_grant'],
  ])('POST /oidc/token with %j is refused with %s', async (form, error) => {
    const answer = await token(form as Record<string, string>)
    expect(answer.status).toBeGreaterThanOrEqual(400)
    expect(answer.status).toBeLessThan(500)
    expect(answer.body).toMatchObject({ error })
    expect(answer.headers.get('cache-control')).toBe('no-store')
  })

  test.each([
    ['JSON instead of a form', 'application/json', '{"client_id":"web"}'],
    ['broken JSON', 'application/json', '{'],
    ['no type', '', 'client_id=web'],
    ['broken percent signs', 'application/x-www-form-urlencoded', 'client_id=%zz&scope=%ff'],
    ['a scope that is not there', 'application/x-www-form-urlencoded', 'client_id=web&scope=admin%20openid%22'],
    ['a key twice', 'application/x-www-form-urlencoded', 'client_id=web&client_id=phone'],
    ['the phone asks for a ticket', 'application/x-www-form-urlencoded', 'client_id=phone'],
  ])('POST /oidc/device/auth with %s is refused', async (_, type, body) => {
    const answer = await fetch(`${origin}/oidc/device/auth`, {
      method: 'POST',
      body,
      headers: type ? { 'content-type': type } : {},
    })
    expect([400, 401, 415, 422]).toContain(answer.status)
    expect(await answer.json()).toHaveProperty('error')
  })

  test('a body above the limit is refused', async () => {
    const answer = await fetch(`${origin}/oidc/token`, {
      method: 'POST',
      body: `code=${'x'.repeat(66_000)}`,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    })
    expect(answer.status).toBe(413)
    expect(await attemptPhoneToken(origin, 'demo:alice')).toMatchObject({ status: 200 })
  })

  test('another spelling of an address is not found, so it cannot bypass the limits', async () => {
    for (const path of [
      '/oidc/Device/Auth',
      '/oidc/%64evice/auth',
      '/oidc/device/auth/',
      '/OIDC/device/auth',
      '//oidc/device/auth',
    ]) {
      const answer = await request(`${origin}${path}`, { form: { client_id: 'web', scope: 'openid' } })
      expect([path, answer.status]).toEqual([path, 404])
    }
    expect((await request(`${origin}/V1/tickets/${'A'.repeat(22)}/resume`, { method: 'POST' })).status).toBe(404)
  })

  test('OAuth routes that the gateway does not offer are not found', async () => {
    for (const path of [
      '/oidc/reg',
      '/oidc/session',
      '/oidc/session/end/x',
      '/oidc/token/introspection/x',
      '/oidc/logout/x',
      '/oidc/interaction/x',
      '/oidc/auth/x',
      '/oidc/Auth',
    ]) {
      expect([404, 405]).toContain((await request(`${origin}${path}`)).status)
    }
    // Our own clients have no authorization endpoint.
    expect(await request(`${origin}/oidc/auth?client_id=web&response_type=code`)).toMatchObject({ status: 400 })
    expect((await request(`${origin}/oidc/device`)).headers.get('location')).toBe(`${origin}/device`)
  })

  test.each([
    ['GET', 'device/auth', 'POST'],
    ['PATCH', 'device/auth', 'POST'],
    ['PUT', 'token', 'POST'],
    ['GET', 'token/revocation', 'POST'],
    ['DELETE', 'jwks', 'GET'],
    ['DELETE', 'auth', 'GET'],
    ['GET', 'request', 'POST'],
    ['GET', 'session/end/confirm', 'POST'],
    ['DELETE', 'session/end', 'POST'],
    ['POST', 'session/end/success', 'GET'],
    ['GET', 'token/introspection', 'POST'],
    ['POST', '.well-known/openid-configuration', 'GET'],
  ])('%s /oidc/%s is answered 405, and the answer names %s', async (method, path, other) => {
    const answer = await request(`${origin}/oidc/${path}`, { method })
    expect(answer.headers.get('allow')?.split(', ')).toContain(other)
    await refused(answer, 405, 'METHOD_NOT_ALLOWED')
  })
})

test('no node has logged an error after all these tests', () => {
  expect(cluster.nodes.flatMap(failuresOf)).toEqual([])
})
