import { type Accounts, createAccounts, openAccountKeys } from '@saoma/accounts'
import { createRedis } from '@saoma/redis'
import {
  type Cluster,
  confirm,
  type createTicket,
  metricOf,
  onCleanup,
  phoneToken,
  redeem,
  refresh,
  request,
  scan,
  startCluster,
  testApiKey,
} from '@saoma/testing'
import * as client from 'openid-client'
import { type BusinessServer, json, startBusinessServer } from './business-server.ts'
import { nodeAt } from './fixtures.ts'

const NODE_SECRET = 'a secret of the nodes, which nobody keeps'
const LEVEL = 'https://shop.example.com/level'
const PAGE = 'https://www.example.com'
const CLAIMS = { name: 'Ann', picture: 'https://a.example/a.png', locale: 'zh-CN', phone_number: '+8613800138000' }
const EVERYTHING = 'openid profile phone business offline_access'
let cluster: Cluster
let business: BusinessServer
let accounts: Accounts

beforeAll(async () => {
  business = await startBusinessServer(json({ allow: true }))
  cluster = await startCluster({
    nodes: 2,
    env: {
      SAOMA_SECRET: NODE_SECRET,
      SAOMA_ACCOUNT_URL: business.url,
      SAOMA_ACCOUNT_SECRET: 'a secret of the account hook',
      SAOMA_ACCOUNT_WHEN: 'login',
      SAOMA_ACCOUNT_CLAIMS: LEVEL,
      SAOMA_ALLOWED_ORIGINS: PAGE,
      SAOMA_AUTH_URL: business.url,
    },
  })
  const redis = await createRedis({ url: cluster.redis.url, probeMs: 0 })
  const keys = await openAccountKeys(redis, { secrets: [NODE_SECRET] })
  accounts = createAccounts(redis, keys)
  onCleanup(async () => {
    keys.close()
    await redis.close()
  })
})
beforeEach(() => {
  business.answer = json({ allow: true, claims: { ...CLAIMS, [LEVEL]: 3 } })
})

const claimsOf = (token = '') => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
const codeFor = async (scope: string) =>
  (
    await request<Awaited<ReturnType<typeof createTicket>>>(`${cluster.origin}/oidc/device/auth`, {
      form: { client_id: 'web', scope },
    })
  ).body
const logIn = async (person: string, scope = EVERYTHING) => {
  const ticket = await codeFor(scope)
  const phone = await phoneToken(cluster.origin, person)
  await scan(cluster.origin, ticket.ticket, phone)
  await confirm(cluster.origin, ticket.ticket, phone)
  return (await redeem(cluster.origin, ticket.device_code)).body
}
const me = (bearer: string, node = 0, options: Parameters<typeof request>[1] = {}) =>
  request<Record<string, unknown>>(`${nodeAt(cluster.nodes, node).origin}/oidc/me`, { bearer, ...options })
const miniProgram = (scope?: string, client_id = 'miniprogram') =>
  request<{ access_token: string; scope: string; error?: string }>(`${cluster.origin}/oidc/token`, {
    form: {
      ...{ grant_type: 'urn:saoma:grant-type:wx-code', client_id, code: 'demo:ann' },
      ...(scope === undefined ? {} : { scope }),
    },
  })

const { phone_number, ...profile } = CLAIMS
test.each<[scope: string, claims: object]>([
  ['openid', {}],
  ['openid profile', profile],
  ['openid phone', { phone_number }],
  ['openid business', { [LEVEL]: 3 }],
  [EVERYTHING, { ...CLAIMS, [LEVEL]: 3 }],
])('with the scope %s id token and userinfo have the same claims of the person', async (scope, claims) => {
  const { access_token, id_token } = await logIn('ann', scope)
  const { sub } = claimsOf(access_token)
  expect(claimsOf(access_token).scope).toBe(scope)
  // Access tokens go to every backend, so nothing of the person is in them.
  expect(JSON.stringify(claimsOf(access_token))).not.toMatch(/Ann|13800138000|level/)
  for (const node of [0, 1]) {
    const { status, headers, body } = await me(access_token, node)
    expect([status, body]).toEqual([200, { sub, ...claims }])
    expect(headers.get('cache-control')).toBe('no-store')
  }
  const { iss, aud, exp, iat, sid, acr, amr, auth_time, at_hash, ...ofPerson } = claimsOf(id_token)
  expect(ofPerson).toEqual({ sub, ...claims })
})

test('a number of the business is not said to be verified', async () => {
  const { access_token, id_token } = await logIn('ann')
  for (const claims of [(await me(access_token)).body, claimsOf(id_token)]) {
    expect(claims).toHaveProperty('phone_number')
    expect(claims).not.toHaveProperty('phone_number_verified')
  }
})

test('an independent client finds the route by discovery, and what there is', async () => {
  const config = await client.discovery(new URL(`${cluster.origin}/oidc`), 'web', undefined, client.None(), {
    execute: [client.allowInsecureRequests],
  })
  expect(config.serverMetadata()).toMatchObject({
    userinfo_endpoint: `${cluster.origin}/oidc/me`,
    scopes_supported: ['openid', 'profile', 'phone', 'business', 'offline_access'],
    claims_supported: expect.arrayContaining([...Object.keys(CLAIMS), 'phone_number_verified', LEVEL, 'sub']),
  })
  const { access_token } = await logIn('ann')
  const { sub } = claimsOf(access_token)
  expect(await client.fetchUserInfo(config, access_token, sub)).toEqual({ sub, ...CLAIMS, [LEVEL]: 3 })
  await request(`${cluster.origin}/v1/sessions`, { method: 'DELETE', bearer: access_token })
  const refused = client.fetchUserInfo(config, access_token, sub)
  await expect(refused).rejects.toBeInstanceOf(client.WWWAuthenticateChallengeError)
})

test('the claims are those of now: a change by the business shows at the next call, and in the next id token', async () => {
  const { access_token, refresh_token, id_token } = await logIn('changing')
  business.answer = json({ allow: true, claims: { name: 'Anna' } })
  await phoneToken(cluster.origin, 'changing')
  for (const node of [0, 1])
    expect((await me(access_token, node)).body).toEqual({ sub: claimsOf(id_token).sub, name: 'Anna' })
  const { body } = await refresh(cluster.origin, refresh_token)
  expect(claimsOf(body.id_token)).toMatchObject({ name: 'Anna' })
  expect(claimsOf(body.id_token)).not.toHaveProperty('locale')
})

test('a session that has ended reads nothing more, on any node', async () => {
  const { access_token } = await logIn('ended')
  expect((await me(access_token)).status).toBe(200)
  await request(`${cluster.origin}/v1/sessions`, { method: 'DELETE', bearer: access_token })
  for (const node of [0, 1]) {
    const { status, headers, body } = await me(access_token, node)
    expect([status, body]).toMatchObject([401, { code: 'REVOKED', react: 'reauth', error: 'invalid_token' }])
    expect(headers.get('www-authenticate')).toBe('Bearer error="invalid_token"')
    expect(headers.get('cache-control')).toBe('no-store')
  }
})

test('a disabled account is refused, and a deleted one too', async () => {
  const { access_token } = await logIn('barred')
  const { sub } = claimsOf(access_token)
  await accounts.setState(sub, 'disabled')
  const disabled = { code: 'ACCOUNT_DISABLED', react: 'stop', error: 'access_denied' }
  for (const node of [0, 1]) expect(await me(access_token, node)).toMatchObject({ status: 403, body: disabled })
  await accounts.setState(sub, 'active')
  expect((await me(access_token)).status).toBe(200)
  await accounts.remove(sub)
  expect(await me(access_token)).toMatchObject({ status: 401, body: { code: 'REVOKED' } })
})

test('only a token of Saoma in the header is taken', async () => {
  const { access_token, id_token, refresh_token = '' } = await logIn('ann')
  // The business would say yes to any token.
  business.answer = json({ uid: 1 })
  for (const bearer of [
    'of-the-business',
    testApiKey,
    refresh_token,
    `${id_token}`,
    `${access_token.slice(0, -4)}AAAA`,
  ]) {
    const { status, headers, body } = await me(bearer)
    expect([status, body]).toMatchObject([401, { code: 'UNAUTHORIZED', error: 'invalid_token' }])
    expect(headers.get('www-authenticate')).toBe('Bearer error="invalid_token"')
  }
  const address = `${cluster.origin}/oidc/me`
  const elsewhere = [
    await request(address),
    await request(`${address}?access_token=${access_token}`),
    await request(address, { form: { access_token } }),
  ]
  for (const { status, headers } of elsewhere)
    expect([status, headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
  // OpenID Connect asks for both methods.
  expect(await me(access_token, 0, { method: 'POST' })).toMatchObject({ status: 200, body: { name: 'Ann' } })
  expect((await me(access_token, 0, { method: 'DELETE' })).status).toBe(405)
})

test('a token without the scope openid is told which one it lacks', async () => {
  const { access_token } = await logIn('ann', 'profile offline_access')
  const refused = await me(access_token)
  expect(refused).toMatchObject({
    status: 403,
    body: { code: 'SCOPE_MISSING', error: 'insufficient_scope', detail: expect.stringContaining('openid') },
  })
  expect(refused.headers.get('www-authenticate')).toBe('Bearer error="insufficient_scope", scope="openid"')
})

test('a page of an allowed origin reads the answer, and another one only its refusal', async () => {
  const { access_token } = await logIn('ann')
  const preflight = { method: 'OPTIONS', headers: { origin: PAGE, 'access-control-request-method': 'GET' } }
  expect((await request(`${cluster.origin}/oidc/me`, preflight)).status).toBe(204)
  const allowed = await me(access_token, 0, { headers: { origin: PAGE } })
  expect([allowed.status, allowed.headers.get('access-control-allow-origin')]).toEqual([200, PAGE])
  const refused = await me(access_token, 0, { headers: { origin: 'https://evil.example' } })
  expect(refused).toMatchObject({ status: 403, body: { code: 'ORIGIN_NOT_ALLOWED' } })
})

test('a mini-program reads what it asks for, and the phone reads who it is, and no more', async () => {
  const plain = (await miniProgram()).body
  expect(plain.scope).toBe('openid')
  const { sub } = claimsOf(plain.access_token)
  expect((await me(plain.access_token)).body).toEqual({ sub })
  const { access_token, scope } = (await miniProgram('openid profile phone business')).body
  expect(scope).toBe('openid profile phone business')
  expect((await me(access_token)).body).toEqual({ sub, ...CLAIMS, [LEVEL]: 3 })
  expect((await me(await phoneToken(cluster.origin, 'ann'))).body).toEqual({ sub })
  for (const answer of [await miniProgram('openid offline_access'), await miniProgram('openid profile', 'phone')])
    expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_scope' } })
})

test('its requests are counted under its own name', async () => {
  const { access_token } = await logIn('ann')
  await me(access_token)
  const metric = 'saoma_http_request_seconds_count{route="/oidc/me",status="200"}'
  expect(await metricOf(nodeAt(cluster.nodes, 0), metric)).toBeGreaterThan(0)
})
