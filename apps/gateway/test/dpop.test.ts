import { generateKeyPairSync, hash, randomUUID } from 'node:crypto'
import { DEVICE_CODE_GRANT, type Problem, type TokenSet } from '@saoma/protocol'
import {
  type Cluster,
  confirm,
  connectLive,
  connectWs,
  createTicket,
  phoneToken,
  request,
  scan,
  startCluster,
  webToken,
} from '@saoma/testing'
import { exportJWK, SignJWT } from 'jose'
import { openOperator } from './fixtures.ts'

/*
 * Tokens of pages that are bound to a key (RFC 9449). Whoever has copied them has not copied the key.
 */

let cluster: Cluster
let a: string
let b: string

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2 })
  const [first = '', second = ''] = cluster.nodes.map(({ origin }) => origin)
  a = first
  b = second
})
afterAll(() => cluster.stop())

interface Claims {
  htm?: string
  htu?: string
  iat?: number
  jti?: string
  ath?: string | undefined
}

/** A browser with a key of its own, which signs what it is told to. */
const newKey = async () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = await exportJWK(publicKey)
  const prove = (method: string, path: string, token?: string, change: Claims = {}, header: object = {}) =>
    new SignJWT({
      jti: randomUUID(),
      htm: method,
      htu: `${cluster.origin}${path}`,
      iat: Math.floor(Date.now() / 1_000),
      ...(token ? { ath: hash('sha256', token, 'base64url') } : {}),
      ...change,
    })
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk, ...header })
      .sign(privateKey)
  return { prove }
}
type Key = Awaited<ReturnType<typeof newKey>>

const tokens = async (form: Record<string, string>, key?: Key) =>
  request<TokenSet & { error?: string }>(`${cluster.origin}/oidc/token`, {
    form: { client_id: 'web', ...form },
    headers: key ? { dpop: await key.prove('POST', '/oidc/token') } : {},
  })
const refreshed = (token: string | undefined, key?: Key) =>
  tokens({ grant_type: 'refresh_token', refresh_token: token ?? '' }, key)

/** A login whose tokens are bound to a new key. */
const bound = async (name: string) => {
  const key = await newKey()
  const phone = await phoneToken(a, name)
  const { ticket, device_code } = await createTicket(cluster.origin)
  await scan(a, ticket, phone)
  await confirm(b, ticket, phone)
  const { status, body } = await tokens({ grant_type: DEVICE_CODE_GRANT, device_code }, key)
  expect([status, body.token_type]).toEqual([200, 'DPoP'])
  return { key, phone, ...body }
}
type Bound = Awaited<ReturnType<typeof bound>>

const call = (origin: string, path: string, headers: Record<string, string>, method = 'GET') =>
  request<Partial<Problem>>(`${origin}${path}`, { method, headers })
const proven = async ({ key, access_token: token }: Bound, path: string, method = 'GET') => ({
  authorization: `DPoP ${token}`,
  dpop: await key.prove(method, path.replace(/\?.*/, ''), token),
})

test('a bound token is good on every route and node with its proof, and without it on none', async () => {
  const login = await bound('ann')
  for (const [path, method] of [
    ['/v1/sessions', 'GET'],
    ['/v1/me/activity?limit=1', 'GET'],
    ['/v1/channels/@user/messages', 'GET'],
    ['/v1/messages?channel=@user', 'GET'],
    ['/oidc/me', 'GET'],
    ['/oidc/me', 'POST'],
  ] as const)
    for (const origin of [a, b, cluster.origin]) {
      expect([path, (await call(origin, path, await proven(login, path, method), method)).status]).toEqual([path, 200])
      // Somebody who has read the token, on another machine.
      for (const scheme of ['Bearer', 'DPoP']) {
        const stolen = await call(origin, path, { authorization: `${scheme} ${login.access_token}` }, method)
        expect([path, stolen.status, stolen.body.code]).toEqual([path, 401, 'UNAUTHORIZED'])
      }
    }
})

test.each<[string, (login: Bound, thief: Key) => Promise<Record<string, string>>]>([
  [
    'another key',
    async ({ access_token: token }, thief) => ({ dpop: await thief.prove('GET', '/v1/sessions', token) }),
  ],
  [
    'another method',
    async ({ key, access_token: token }) => ({ dpop: await key.prove('POST', '/v1/sessions', token) }),
  ],
  ['another address', async ({ key, access_token: token }) => ({ dpop: await key.prove('GET', '/oidc/me', token) })],
  [
    'another origin',
    async ({ key, access_token: token }) => ({
      dpop: await key.prove('GET', '', token, { htu: 'https://evil.example.com/v1/sessions' }),
    }),
  ],
  ['no token', async ({ key }) => ({ dpop: await key.prove('GET', '/v1/sessions') })],
  [
    'an age of an hour',
    async ({ key, access_token: token }) => ({
      dpop: await key.prove('GET', '/v1/sessions', token, { iat: Math.floor(Date.now() / 1_000) - 3_600 }),
    }),
  ],
  [
    'another type',
    async ({ key, access_token: token }) => ({
      dpop: await key.prove('GET', '/v1/sessions', token, {}, { typ: 'at+jwt' }),
    }),
  ],
  ['nonsense', async () => ({ dpop: 'x.y.z' })],
])('a proof with %s proves nothing', async (_, make) => {
  const login = await bound('ben')
  const headers = { authorization: `DPoP ${login.access_token}`, ...(await make(login, await newKey())) }
  expect(await call(a, '/v1/sessions', headers)).toMatchObject({ status: 401, body: { code: 'UNAUTHORIZED' } })
})

test('a proof is good once, on one node or the other, and is remembered for a bounded time', async () => {
  const login = await bound('cyd')
  const headers = await proven(login, '/v1/sessions')
  const answers = await Promise.all([a, b, a, b].map((origin) => call(origin, '/v1/sessions', headers)))
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401, 401])
  const operator = await openOperator(cluster.redis.url)
  const names = (await operator.call('KEYS', '*:ReplayDetection:*')) as string[]
  expect(names.length).toBeGreaterThan(0)
  for (const name of names) {
    const ttl = Number(await operator.call('TTL', name))
    expect(ttl).toBeGreaterThan(0)
    expect(ttl).toBeLessThanOrEqual(301)
  }
})

test('a stolen refresh token is worth nothing without the key, and does its owner no harm', async () => {
  const login = await bound('dot')
  const thief = await newKey()
  for (const key of [undefined, thief])
    expect(await refreshed(login.refresh_token, key)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
  const first = await refreshed(login.refresh_token, login.key)
  expect([first.status, first.body.token_type]).toEqual([200, 'DPoP'])
  // The answer was lost. Its successor is bound, too.
  const again = await refreshed(login.refresh_token, login.key)
  expect(again.body.refresh_token).toBe(first.body.refresh_token)
  expect((await refreshed(first.body.refresh_token)).status).toBe(400)
  expect((await refreshed(first.body.refresh_token, login.key)).status).toBe(200)
})

test('a token that is bound to no key takes no proof, and one that is not asks for none', async () => {
  const { access_token: token, refresh_token: refreshToken } = await webToken(cluster.origin, 'eve')
  const key = await newKey()
  const headers = { authorization: `DPoP ${token}`, dpop: await key.prove('GET', '/v1/sessions', token) }
  expect((await call(a, '/v1/sessions', headers)).status).toBe(401)
  expect((await call(a, '/v1/sessions', { authorization: `Bearer ${token}` })).status).toBe(200)
  expect((await refreshed(refreshToken)).body.token_type).toBe('Bearer')
})

describe('sockets', () => {
  const credentials = async ({ key, access_token: token }: Bound, door: string) => ({
    token,
    dpop: await key.prove('GET', door, token),
  })

  test('Socket.IO admits a bound token with its proof, and refreshes it with another', async () => {
    const login = await bound('fay')
    const auth = await credentials(login, '/socket.io/')
    const client = connectLive(a, { token: login.access_token, auth })
    await client.next('connect')
    expect(await client.subscribe({ channel: '@user' })).toMatchObject({ ok: true })
    const next = { ...login, ...(await refreshed(login.refresh_token, login.key)).body } as Bound
    expect(await client.refresh({ token: next.access_token })).toMatchObject({ code: 'UNAUTHORIZED' })
    expect(await client.refresh(await credentials(next, '/socket.io/'))).toMatchObject({ ok: true })
    // Somebody who has recorded the handshake, and somebody who has the token alone.
    for (const stolen of [auth, { token: login.access_token }, await credentials(login, '/ws')]) {
      const thief = connectLive(b, { token: login.access_token, auth: stolen, reconnection: false })
      expect((await thief.next('connect_error')).data).toMatchObject({ code: 'UNAUTHORIZED' })
    }
  })

  test('so does the plain WebSocket', async () => {
    const login = await bound('gus')
    const auth = await credentials(login, '/ws')
    const client = await connectWs(a)
    expect(await client.ask({ op: 'auth', ...auth })).toBe('{"result":true}')
    const thief = await connectWs(b)
    for (const stolen of [{ token: login.access_token }, auth])
      expect(String(await thief.ask({ op: 'auth', ...stolen }))).toContain('UNAUTHORIZED')
  })

  test('so does the event stream', async () => {
    const login = await bound('hal')
    const headers = await proven(login, '/v1/messages')
    const left = new AbortController()
    const accept = { ...headers, accept: 'text/event-stream' }
    const stream = await fetch(`${a}/v1/messages?channel=@user`, { headers: accept, signal: left.signal })
    const first = await stream.body?.getReader().read()
    expect(new TextDecoder().decode(first?.value)).toContain('event: subscribed')
    left.abort()
    expect((await call(b, '/v1/messages?channel=@user', headers)).status).toBe(401)
  })
})
