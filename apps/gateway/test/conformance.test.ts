import { type Cluster, phoneToken, request, startCluster, until } from '@saoma/testing'
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import * as client from 'openid-client'
import { type Browser, createBrowser, logIn, REDIRECT, SECRET, testClients } from './relying-party.ts'

/*
 * What the OpenID Foundation's conformance suite asks of a provider, by requests like its own.
 * docs/conformance.md says which of its tests is which of ours.
 */

let cluster: Cluster
let alice: string
/** A browser in which Alice is logged in. */
let browser: Browser
const nodes = () => cluster.nodes.map(({ origin }) => origin)

/** The suite has two clients alike. */
const withSecond = (): string => {
  const all = JSON.parse(testClients) as { client_id: string }[]
  return JSON.stringify([...all, { ...all[0], client_id: 'second' }])
}

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2, env: { SAOMA_CLIENTS: withSecond() } })
  alice = await phoneToken(cluster.origin, 'alice')
  browser = (await freshLogin()).browser
})
afterAll(() => cluster.stop())

/** The suite's client sends no PKCE in most of its tests. */
const usual = { client_id: 'wiki', redirect_uri: REDIRECT, response_type: 'code', scope: 'openid profile', state: 's' }
const ask = (more: Record<string, string | undefined> = {}) => {
  const given = Object.entries({ ...usual, ...more }).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  )
  return `${cluster.origin}/oidc/auth?${new URLSearchParams(given)}`
}
const paramsOf = (location: string) => Object.fromEntries(new URL(location).searchParams)

type Tokens = Record<'access_token' | 'id_token' | 'refresh_token' | 'error' | 'token_type', string>
const basic = (id: string) => ({ authorization: `Basic ${Buffer.from(`${id}:${SECRET}`).toString('base64')}` })
const exchange = (
  location: string,
  more: Record<string, string> = {},
  headers: Record<string, string> = basic('wiki'),
) =>
  request<Tokens>(`${cluster.origin}/oidc/token`, {
    headers,
    form: {
      grant_type: 'authorization_code',
      code: paramsOf(location).code ?? '',
      redirect_uri: REDIRECT,
      ...more,
    },
  })
const claimsOf = async (location: string) => decodeJwt((await exchange(location)).body.id_token)
const freshLogin = async (more: Record<string, string> = {}) => {
  const fresh = createBrowser(cluster.origin, nodes())
  const page = await fresh.go(ask(more))
  return { browser: fresh, answer: await logIn(fresh, cluster.origin, page.location, alice) }
}

test('tokens of a login name issuer, client, nonce and time, and a published RS256 key verifies them', async () => {
  const { answer } = await freshLogin({ nonce: 'the-nonce' })
  expect(paramsOf(answer)).toEqual({ code: expect.any(String), state: 's', iss: `${cluster.origin}/oidc` })
  const { status, body, headers } = await exchange(answer)
  expect([status, body.token_type, headers.get('cache-control')]).toEqual([200, 'Bearer', 'no-store'])
  const keys = createRemoteJWKSet(new URL(`${cluster.origin}/oidc/jwks`))
  const { payload, protectedHeader } = await jwtVerify(body.id_token, keys, {
    issuer: `${cluster.origin}/oidc`,
    audience: 'wiki',
    algorithms: ['RS256'],
    requiredClaims: ['sub', 'iat', 'exp', 'auth_time', 'nonce'],
  })
  expect(payload.nonce).toBe('the-nonce')
  expect(protectedHeader.kid).toEqual(expect.any(String))
})

test('a request without a response type is an error that the application gets', async () => {
  const { location } = await browser.go(ask({ response_type: undefined }))
  expect(paramsOf(location)).toMatchObject({ error: 'invalid_request', state: 's' })
})

test('userinfo answers GET and POST with the token in the header, and refuses it in a form', async () => {
  const { body } = await exchange((await browser.go(ask())).location)
  const { sub } = decodeJwt(body.id_token)
  for (const method of ['GET', 'POST']) {
    const info = await request(`${cluster.origin}/oidc/me`, { method, bearer: body.access_token })
    expect(info).toMatchObject({ status: 200, body: { sub, name: 'alice' } })
  }
  const form = { access_token: body.access_token }
  expect((await request(`${cluster.origin}/oidc/me`, { form })).status).toBe(401)
})

test('the scope profile gives the name, and without it there is none', async () => {
  for (const [scope, name] of [
    ['openid profile', 'alice'],
    ['openid', undefined],
  ] as const) {
    const { body } = await exchange((await browser.go(ask({ scope }))).location)
    const info = await request<{ name?: string }>(`${cluster.origin}/oidc/me`, { bearer: body.access_token })
    expect([info.body.name, decodeJwt(body.id_token).name]).toEqual([name, name])
  }
})

test.each([
  ['no nonce', {}],
  ['scopes in another order', { scope: 'profile openid' }],
  ['display=page', { display: 'page' }],
  ['display=popup', { display: 'popup' }],
  ['a parameter that nobody knows', { extra: 'foobar' }],
  ['login_hint', { login_hint: 'buffy@login.example.com' }],
  ['ui_locales', { ui_locales: 'se' }],
  ['claims_locales', { claims_locales: 'se' }],
  ['the acr values that discovery names', { acr_values: 'urn:saoma:acr:tap' }],
  ['PKCE', { code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256' }],
])('a request with %s is answered', async (_what, more: Record<string, string>) => {
  const page = await createBrowser(cluster.origin, nodes()).go(ask(more))
  expect(page.location).toContain('/oidc/interaction/')
  const { location } = await browser.go(ask(more))
  const verifier: Record<string, string> = more.code_challenge
    ? { code_verifier: 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk' }
    : {}
  const { status, body } = await exchange(location, verifier)
  expect(status).toBe(200)
  if (more.acr_values) expect(decodeJwt(body.id_token).acr).toBe(more.acr_values)
})

test('prompt=none gives the same person and the same time of the login', async () => {
  const before = await claimsOf((await browser.go(ask({ max_age: '15000' }))).location)
  const { id_token } = (await exchange((await browser.go(ask())).location)).body
  for (const more of [{ prompt: 'none' }, { prompt: 'none', id_token_hint: id_token }, { max_age: '10000' }] as const) {
    const { sub, auth_time } = await claimsOf((await browser.go(ask(more))).location)
    expect({ sub, auth_time }).toEqual({ sub: before.sub, auth_time: before.auth_time })
  }
})

test('a login that is older than max_age is done again, and is later', async () => {
  const { browser: fresh, answer } = await freshLogin()
  const { auth_time: before } = await claimsOf(answer)
  const page = await until(
    () => fresh.go(ask({ max_age: '1' })),
    ({ location }) => location.includes('/oidc/interaction/'),
  )
  const { auth_time: after } = await claimsOf(await logIn(fresh, cluster.origin, page.location, alice))
  expect(Number(after)).toBeGreaterThan(Number(before))
})

test('a client may send its secret in the form', async () => {
  const secret = { client_id: 'wiki', client_secret: SECRET }
  expect((await exchange((await browser.go(ask())).location, secret, {})).status).toBe(200)
})

test('a claim that is essential is given', async () => {
  const claims = JSON.stringify({ userinfo: { name: { essential: true } } })
  const { body } = await exchange((await browser.go(ask({ scope: 'openid', claims }))).location)
  const info = await request(`${cluster.origin}/oidc/me`, { bearer: body.access_token })
  expect(info.body).toMatchObject({ name: 'alice' })
})

test('a request object leads to no other address', async () => {
  const inside = Buffer.from(JSON.stringify(usual)).toString('base64url')
  const object = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${inside}.`
  const { status, location } = await browser.go(ask({ redirect_uri: `${REDIRECT}/other`, request: object }))
  expect([status, location.startsWith(cluster.origin)]).toEqual([400, true])
})

test('a refresh token gives new tokens to its client, and none to another', async () => {
  const scope = 'openid offline_access'
  const page = await browser.go(ask({ scope, prompt: 'consent' }))
  const agreed = await browser.post(`${page.location}/consent`)
  const first = (await exchange((await browser.go(String(agreed.body.location))).location)).body
  const renew = (headers: Record<string, string>) =>
    request<Tokens>(`${cluster.origin}/oidc/token`, {
      headers,
      form: { grant_type: 'refresh_token', refresh_token: first.refresh_token },
    })
  const stolen = await renew(basic('second'))
  expect([stolen.status, stolen.body.error]).toEqual([400, 'invalid_grant'])
  const { status, body } = await renew(basic('wiki'))
  expect(status).toBe(200)
  const [before, after] = [decodeJwt(first.id_token), decodeJwt(body.id_token)]
  expect({ ...after, iat: 0, exp: 0 }).toEqual({ ...before, iat: 0, exp: 0 })
  expect(decodeProtectedHeader(body.id_token).alg).toBe('RS256')
})

test('discovery has what is demanded of a provider', async () => {
  const { status, headers, body } = await request<Record<string, unknown>>(
    `${cluster.origin}/oidc/.well-known/openid-configuration`,
  )
  expect([status, headers.get('content-type')]).toEqual([200, expect.stringContaining('application/json')])
  const endpoints = ['authorization_endpoint', 'token_endpoint', 'userinfo_endpoint', 'jwks_uri']
  for (const name of endpoints) expect(String(body[name])).toMatch(new RegExp(`^${cluster.origin}/oidc/`))
  expect(body).toMatchObject({
    issuer: `${cluster.origin}/oidc`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    claims_parameter_supported: true,
    code_challenge_methods_supported: ['S256'],
  })
  expect(body.id_token_signing_alg_values_supported).toEqual(expect.arrayContaining(['RS256']))
  expect(body.id_token_signing_alg_values_supported).not.toContain('none')
  expect(body.scopes_supported).toEqual(expect.arrayContaining(['openid', 'profile', 'phone']))
  expect(body.scopes_supported).not.toEqual(expect.arrayContaining(['email']))
  expect(body.scopes_supported).not.toEqual(expect.arrayContaining(['address']))
  expect(body.claims_supported).toEqual(expect.arrayContaining(['sub', 'name', 'phone_number']))
  const { body: jwks } = await request<{ keys: Record<string, string>[] }>(String(body.jwks_uri))
  expect(new Set(jwks.keys.map(({ kid }) => kid)).size).toBe(jwks.keys.length)
  for (const key of jwks.keys) for (const secret of ['d', 'p', 'q', 'k']) expect(key).not.toHaveProperty(secret)
  expect(
    await client.discovery(new URL(`${cluster.origin}/oidc`), 'wiki', SECRET, undefined, {
      execute: [client.allowInsecureRequests],
    }),
  ).toBeDefined()
})
