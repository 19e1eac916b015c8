import { hash } from 'node:crypto'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { HASHED_TOKEN, TAKES_HASHES_HEADER } from '@saoma/protocol'
import { createRedis } from '@saoma/redis'
import {
  ageRefreshToken,
  type Cluster,
  confirm,
  connectLogin,
  createTicket,
  phoneToken,
  redeem,
  refresh,
  reject,
  request,
  scan,
  startCluster,
  until,
} from '@saoma/testing'
import { createLocalJWKSet, decodeJwt, type JSONWebKeySet, jwtVerify } from 'jose'
import * as client from 'openid-client'
import { nodeAt } from './fixtures.ts'

let cluster: Cluster
let config: client.Configuration
let alice: string

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2 })
  config = await client.discovery(new URL(`${cluster.origin}/oidc`), 'web', undefined, client.None(), {
    execute: [client.allowInsecureRequests],
  })
  alice = await phoneToken(cluster.origin, 'alice')
})

/** Sends bytes as they are, for what no HTTP client would send. */
const raw = async (port: number, bytes: string): Promise<string> => {
  const tcp = connect(port, '127.0.0.1')
  tcp.end(bytes)
  return text(tcp)
}

const scope = 'openid profile offline_access'
const ticketOf = ({ device_code }: { device_code: string }) => device_code.slice(0, 22)
const refused = (promise: Promise<unknown>) =>
  promise.then(
    () => 'granted',
    (error: unknown) => (error instanceof client.ResponseBodyError ? error.error : error),
  )

/** A whole login by an independent client library. */
const login = async (sub = alice) => {
  const authorization = await client.initiateDeviceAuthorization(config, { scope })
  await scan(cluster.origin, ticketOf(authorization), sub)
  await confirm(cluster.origin, ticketOf(authorization), sub)
  return client.genericGrantRequest(config, 'urn:ietf:params:oauth:grant-type:device_code', {
    device_code: authorization.device_code,
  })
}

test('discovery names the endpoints that exist, and no others', () => {
  const metadata = config.serverMetadata()
  const { origin } = cluster
  expect(metadata).toMatchObject({
    issuer: `${origin}/oidc`,
    device_authorization_endpoint: `${origin}/oidc/device/auth`,
    token_endpoint: `${origin}/oidc/token`,
    revocation_endpoint: `${origin}/oidc/token/revocation`,
    jwks_uri: `${origin}/oidc/jwks`,
    id_token_signing_alg_values_supported: ['ES256', 'RS256'],
    authorization_endpoint: `${origin}/oidc/auth`,
    pushed_authorization_request_endpoint: `${origin}/oidc/request`,
    response_types_supported: ['code'],
    response_modes_supported: ['query', 'form_post'],
    code_challenge_methods_supported: ['S256'],
    acr_values_supported: ['urn:saoma:acr:tap', 'urn:saoma:acr:number', 'urn:saoma:acr:network'],
    userinfo_endpoint: `${origin}/oidc/me`,
    introspection_endpoint: `${origin}/oidc/token/introspection`,
    introspection_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
    end_session_endpoint: `${origin}/oidc/session/end`,
    backchannel_logout_supported: true,
    backchannel_logout_session_supported: true,
    dpop_signing_alg_values_supported: ['ES256', 'Ed25519', 'EdDSA'],
    authorization_response_iss_parameter_supported: true,
    grant_types_supported: [
      'authorization_code',
      'refresh_token',
      'urn:ietf:params:oauth:grant-type:device_code',
      'urn:openid:params:grant-type:ciba',
      'urn:saoma:grant-type:wx-code',
    ],
    backchannel_authentication_endpoint: `${origin}/oidc/backchannel`,
    backchannel_token_delivery_modes_supported: ['poll', 'ping'],
  })
  for (const missing of ['registration_endpoint', 'frontchannel_logout_supported'])
    expect(metadata).not.toHaveProperty(missing)
  expect(metadata.token_endpoint_auth_methods_supported).toEqual(['none', 'client_secret_basic', 'client_secret_post'])
})

test('discovery names the public origin, whatever the Host of a request claims', async () => {
  const secure = await startCluster({ nodes: 1, origin: 'https://login.example.com' })
  const answer = await raw(
    secure.nodes[0]?.port ?? 0,
    'GET /oidc/.well-known/openid-configuration HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n',
  )
  expect(answer).toContain('"token_endpoint":"https://login.example.com/oidc/token"')
  expect(answer).not.toContain('evil.example')
  await secure.stop()
})

test('an independent client polls until the person has confirmed', async () => {
  const authorization = await client.initiateDeviceAuthorization(config, { scope })
  expect(authorization).toMatchObject({
    expires_in: 120,
    interval: 5,
    user_code: expect.stringMatching(/^[B-Z]{4}-[B-Z]{4}$/),
  })
  await scan(cluster.origin, ticketOf(authorization), alice)
  const polling = client.pollDeviceAuthorizationGrant(config, authorization)
  await confirm(cluster.origin, ticketOf(authorization), alice)
  const tokens = await polling
  const acr = 'urn:saoma:acr:tap'
  expect(tokens.claims()).toMatchObject({ iss: `${cluster.origin}/oidc`, aud: 'web', name: 'alice', acr })
})

test('pending, slow_down and denied are told in the words of RFC 8628', async () => {
  const { device_code, ticket } = await createTicket(cluster.origin)
  const words = [await redeem(cluster.origin, device_code), await redeem(cluster.origin, device_code)]
  expect(words.map(({ status, body }) => [status, 'error' in body && body.error])).toEqual([
    [400, 'authorization_pending'],
    [400, 'slow_down'],
  ])
  await reject(cluster.origin, ticket, alice)
  expect(await redeem(cluster.origin, device_code)).toMatchObject({ status: 400, body: { error: 'access_denied' } })
})

test('slow_down does not delay a person who confirms at once', async () => {
  const { device_code, ticket } = await createTicket(cluster.origin)
  await redeem(cluster.origin, device_code)
  await scan(cluster.origin, ticket, alice)
  await confirm(cluster.origin, ticket, alice)
  expect((await redeem(cluster.origin, device_code)).status).toBe(200)
})

test('the access token verifies on the other node, and names the person and the session', async () => {
  const tokens = await login()
  const jwks = await request<JSONWebKeySet>(`${cluster.nodes[1]?.origin}/oidc/jwks`)
  for (const key of jwks.body.keys) expect(key).not.toHaveProperty('d')
  const { payload, protectedHeader } = await jwtVerify(tokens.access_token, createLocalJWKSet(jwks.body), {
    issuer: `${cluster.origin}/oidc`,
    audience: cluster.origin,
    typ: 'at+jwt',
    algorithms: ['ES256'],
  })
  expect(protectedHeader.alg).toBe('ES256')
  expect(payload).toMatchObject({ sub: tokens.claims()?.sub, sid: tokens.claims()?.sid, client_id: 'web' })
  expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(600)
  expect(payload.sub).toMatch(/^[A-Za-z0-9_-]{22}$/)
})

test('both signing keys are published', async () => {
  const { body } = await request<JSONWebKeySet>(`${cluster.nodes[0]?.origin}/oidc/jwks`)
  expect(body.keys.map(({ kty, alg, use }) => ({ kty, alg, use }))).toEqual([
    { kty: 'EC', alg: 'ES256', use: 'sig' },
    { kty: 'RSA', alg: 'RS256', use: 'sig' },
  ])
  for (const key of body.keys)
    for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi']) expect(key).not.toHaveProperty(secret)
})

test('a backend that checks the audience refuses a phone’s token', async () => {
  const jwks = await request<JSONWebKeySet>(`${cluster.origin}/oidc/jwks`)
  const check = jwtVerify(alice, createLocalJWKSet(jwks.body), {
    issuer: `${cluster.origin}/oidc`,
    audience: cluster.origin,
  })
  await expect(check).rejects.toThrow('unexpected "aud" claim value')
})

test.each([61, 86_400])(
  'refresh tokens rotate within a session, and a replay after %i s ends it everywhere',
  async (seconds) => {
    const { refresh_token: first = '', ...before } = await login()
    const { refresh_token: second = '', ...after } = await client.refreshTokenGrant(config, first)
    expect(second).not.toBe(first)
    expect(decodeJwt(after.access_token).sid).toBe(decodeJwt(before.access_token).sid)

    await ageRefreshToken(cluster.redis.url, first, seconds)
    expect(await refused(client.refreshTokenGrant(config, first))).toBe('invalid_grant')
    expect(await refused(client.refreshTokenGrant(config, second))).toBe('invalid_grant')
  },
)

test('a session that is refreshed far too often is ended, and Redis keeps no more of it', async () => {
  const { refresh_token = '' } = await login()
  const { data, keys, close } = await createRedis({ url: cluster.redis.url, probeMs: 0 })
  await data.set(keys.usedRefreshTokens(refresh_token.slice(0, 22)), '-'.repeat(262_144), 'EX', 60)
  await close()
  expect(await refused(client.refreshTokenGrant(config, refresh_token))).toBe('invalid_grant')
  expect(await refused(client.refreshTokenGrant(config, refresh_token))).toBe('invalid_grant')
})

// As a client does whose first answer was lost.
test('a repeated refresh gets the same successor, on any node and in any race', async () => {
  const { refresh_token: first = '' } = await login()
  const successor = async (token: string, i = 0) =>
    (await refresh(nodeAt(cluster.nodes, i).origin, token)).body.refresh_token
  const [second = '', ...others] = await Promise.all(Array.from({ length: 20 }, (_, i) => successor(first, i)))
  expect(second).toMatch(/^[A-Za-z0-9_-]{65}$/)
  expect(new Set(others)).toEqual(new Set([second]))
  await ageRefreshToken(cluster.redis.url, first, 30)
  expect(await successor(first)).toBe(second)
  const third = await successor(second)
  expect([first, second, undefined]).not.toContain(third)

  // What is repeated is the one use, and not a way to go on from it.
  await ageRefreshToken(cluster.redis.url, second, 61)
  expect(await successor(first)).toBe(second)
  expect(await successor(second)).toBeUndefined()
  expect(await successor(third ?? '')).toBeUndefined()
})

test('revocation ends the session on every node, and no other session of the person', async () => {
  const [ended, other] = [await login(), await login()]
  await client.tokenRevocation(config, ended.refresh_token ?? '')
  expect(await refused(client.refreshTokenGrant(config, ended.refresh_token ?? ''))).toBe('invalid_grant')
  expect((await client.refreshTokenGrant(config, other.refresh_token ?? '')).access_token).toEqual(expect.any(String))
})

/** Seconds for which Redis keeps what a session has left. */
const leftOf = async (tokens: readonly string[]) => {
  const { data, keys, close } = await createRedis({ url: cluster.redis.url, probeMs: 0 })
  try {
    const nameOf = (token: string) => keys.oidc('RefreshToken', hash('sha256', token, 'base64url'))
    return {
      records: await Promise.all(tokens.map((token) => data.ttl(nameOf(token)))),
      marks: await data.exists(keys.usedRefreshTokens((tokens[0] ?? '').slice(0, 22))),
    }
  } finally {
    await close()
  }
}
const ways: [string, (tokens: { access_token: string; refresh_token: string }) => Promise<{ status: number }>][] = [
  [
    'its refresh token',
    ({ refresh_token: token }) =>
      request(`${cluster.origin}/oidc/token/revocation`, { form: { token, client_id: 'web' } }),
  ],
  [
    'the hash of that',
    ({ refresh_token }) => {
      const token = HASHED_TOKEN + hash('sha256', refresh_token, 'base64url')
      return request(`${cluster.origin}/oidc/token/revocation`, { form: { token, client_id: 'web' } })
    },
  ],
  [
    'the list of sessions',
    ({ access_token: bearer }) => request(`${cluster.origin}/v1/sessions`, { method: 'DELETE', bearer }),
  ],
]
test.each(ways)('Redis keeps the tokens of a session that was ended by %s for ten minutes only', async (way, end) => {
  const person = await phoneToken(cluster.origin, `leaver by ${way}`)
  const { refresh_token: first = '' } = await login(person)
  const { refresh_token: second = '', access_token } = await client.refreshTokenGrant(config, first)
  const before = await leftOf([first, second])
  expect(before).toMatchObject({ marks: 1 })
  expect(before.records[1]).toBeGreaterThan(86_400)

  expect((await end({ access_token, refresh_token: second })).status).toBe(200)
  const { records } = await until(
    () => leftOf([first, second]),
    ({ records, marks }) => marks === 0 && records.every((seconds) => seconds <= 600),
  )
  // Not at once: who was not told of their log-out asks again.
  for (const seconds of records) expect(seconds).toBeGreaterThan(500)
})

test('a refresh token used after its session ran out goes after ten minutes', async () => {
  const { refresh_token: token = '' } = await login()
  const { data, keys, close } = await createRedis({ url: cluster.redis.url, probeMs: 0 })
  await data.unlink(keys.oidc('Grant', hash('sha256', token.slice(0, 22), 'base64url')))
  await close()
  expect((await leftOf([token])).records[0]).toBeGreaterThan(86_400)
  expect((await refresh(cluster.origin, token)).status).toBe(400)
  expect((await leftOf([token])).records[0]).toBeLessThanOrEqual(600)
})

test('a session is refreshed sixty times in ten minutes at most, and others do not wait', async () => {
  const [{ refresh_token: first = '' }, { refresh_token: other = '' }] = [await login(), await login()]
  const used = [first]
  for (;;) {
    const { status, headers, body } = await refresh(cluster.origin, used.at(-1))
    if (status !== 200) {
      expect([status, body]).toMatchObject([429, { error: 'temporarily_unavailable' }])
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(500)
      break
    }
    used.push(body.refresh_token ?? '')
  }
  expect(used).toHaveLength(60)
  // Nothing was used up, and what is repeated is no further one.
  expect(await refresh(cluster.origin, used.at(-2))).toMatchObject({
    status: 200,
    body: { refresh_token: used.at(-1) },
  })
  expect((await refresh(cluster.origin, other)).status).toBe(200)
  const { data, keys, close } = await createRedis({ url: cluster.redis.url, probeMs: 0 })
  await data.hincrby(keys.oidc('Grant', hash('sha256', first.slice(0, 22), 'base64url')), 'from', -600)
  await close()
  expect((await refresh(cluster.origin, used.at(-1))).status).toBe(200)
})

test('the revocation endpoint says that it takes hashes, also to a page of another origin', async () => {
  const answer = await fetch(`${cluster.origin}/oidc/token/revocation`, {
    method: 'POST',
    headers: { origin: cluster.origin },
    body: new URLSearchParams({ token: 'unknown', client_id: 'web' }),
  })
  expect(answer.status).toBe(200)
  expect(answer.headers.has(TAKES_HASHES_HEADER)).toBe(true)
  const exposed = (answer.headers.get('access-control-expose-headers') ?? '').split(/, */)
  for (const name of ['Retry-After', 'WWW-Authenticate', TAKES_HASHES_HEADER]) expect(exposed).toContain(name)
})

test('one person has one account in every login, and two people have two', async () => {
  const bob = await phoneToken(cluster.origin, 'bob')
  const subs = [await login(), await login(), await login(bob)].map((tokens) => tokens.claims()?.sub)
  expect(subs[0]).toBe(subs[1])
  expect(subs[2]).not.toBe(subs[0])
})

test('a code that nobody scans ends as expired_token, and the ticket says so', async () => {
  const hasty = await startCluster({ nodes: 1, env: { SAOMA_SCAN_SECONDS: '1' } })
  const { device_code, expires_in, ticket } = await createTicket(hasty.origin)
  expect(expires_in).toBe(1)
  const browser = connectLogin(hasty.origin)
  const watched = await browser.watch(device_code)
  // Held until the deadline makes it expired: an event, not a guess.
  const held = await request(`${hasty.origin}/v1/tickets/${ticket}?after=1`, { bearer: device_code })
  expect(held.body).toEqual({ ticket, status: 'expired', version: 2, expiresIn: 0 })
  // A node that took longer than that second to let the browser in has said so with the ack.
  const isLate = watched.ok && watched.state.status === 'expired'
  expect(isLate ? watched.state : await browser.next('ticket')).toEqual(held.body)
  browser.close()
  expect(await redeem(hasty.origin, device_code)).toMatchObject({ status: 400, body: { error: 'expired_token' } })
  const bob = await phoneToken(hasty.origin, 'bob')
  expect(await scan(hasty.origin, ticket, bob)).toMatchObject({
    status: 410,
    body: { code: 'TICKET_EXPIRED', react: 'renew' },
  })
  await hasty.stop()
})

test('a user code typed by hand finds its ticket, and guessing is slow', async () => {
  const { user_code, ticket } = await createTicket(cluster.origin)
  const mallory = await phoneToken(cluster.origin, 'mallory')
  const ask = (code: string) => request(`${cluster.origin}/v1/user-codes/${code}`, { bearer: mallory })
  expect(await ask(user_code)).toMatchObject({ status: 200, body: { ticket } })
  expect(await ask(user_code.toLowerCase().replace('-', ''))).toMatchObject({ body: { ticket } })
  for (let guess = 0; guess < 3; guess++) expect(await ask(`BBBB-BBB${guess}`)).toMatchObject({ status: 404 })
  const slow = await ask(user_code)
  expect(slow).toMatchObject({ status: 429, body: { code: 'RATE_LIMITED', react: 'retry' } })
  expect(Number(slow.headers.get('retry-after'))).toBeGreaterThan(0)
})
