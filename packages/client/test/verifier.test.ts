import { readFileSync } from 'node:fs'
import { WX_CODE_GRANT } from '@saoma/protocol'
import { type Cluster, phoneToken, request, startCluster, webToken } from '@saoma/testing'
import { decodeJwt, generateKeyPair, SignJWT } from 'jose'
import { type RefusalCode, refusals } from '../src/server/refusals.ts'
import { bearerOf, createVerifier, type VerifierOptions } from '../src/server.ts'
import { openSigner, type Signer, signerEnv } from './signer.ts'

let cluster: Cluster
let signer: Signer
let person: Awaited<ReturnType<typeof webToken>>

beforeAll(async () => {
  cluster = await startCluster({ nodes: 1, env: signerEnv })
  signer = await openSigner(cluster)
  person = await webToken(cluster.origin, 'Ada')
})

const open = (options: Partial<VerifierOptions> = {}) => createVerifier({ origin: cluster.origin, ...options })

/** A page's token with other members in its header or claims, or with another signature. */
const altered = (change: { header?: object; claims?: object; signature?: string }): string => {
  const [header = '', claims = '', signature = ''] = person.access_token.split('.')
  const merged = (part: string, more: object = {}): string => {
    const before: object = JSON.parse(Buffer.from(part, 'base64url').toString())
    return Buffer.from(JSON.stringify({ ...before, ...more })).toString('base64url')
  }
  return [merged(header, change.header), merged(claims, change.claims), change.signature ?? signature].join('.')
}

/** A token that somebody else signs under the name of the cluster's key. */
const forged = async (alg: 'ES256' | 'HS256', key: CryptoKey | Uint8Array): Promise<string> => {
  const kid = (await signer.ring()).at(-1)?.kid ?? ''
  return new SignJWT({ client_id: 'web' })
    .setProtectedHeader({ alg, typ: 'at+jwt', kid })
    .setIssuer(`${cluster.origin}/oidc`)
    .setAudience(cluster.origin)
    .setSubject('victim')
    .setExpirationTime('10 minutes')
    .sign(key)
}

const withAnotherKey = async (): Promise<string> => forged('ES256', (await generateKeyPair('ES256')).privateKey)

/** Signed by HMAC with the published key as its secret. A careless library would take it. */
const withPublishedKey = async (): Promise<string> => {
  const { body } = await request<{ keys: object[] }>(`${cluster.origin}/oidc/jwks`)
  return forged('HS256', new TextEncoder().encode(JSON.stringify(body.keys[0])))
}

const audiences = () => [cluster.origin, `${cluster.origin}/v1`]
const inAnHour = () => Math.floor(Date.now() / 1_000) + 3_600

test('a person’s token is verified, and its claims are given', async () => {
  expect(await open().verify(person.access_token)).toMatchObject({
    ok: true,
    value: {
      iss: `${cluster.origin}/oidc`,
      aud: cluster.origin,
      sub: person.user,
      client_id: 'web',
      scope: expect.stringContaining('openid'),
      sid: expect.stringMatching(/^[A-Za-z0-9_-]{22}$/),
      jti: expect.any(String),
      iat: expect.any(Number),
      exp: expect.any(Number),
    },
  })
})

test('a mini-program’s token is verified, and has no session', async () => {
  const form = { grant_type: WX_CODE_GRANT, client_id: 'miniprogram', code: 'demo:Ada' }
  const { body } = await request<{ access_token: string }>(`${cluster.origin}/oidc/token`, { form })
  const verified = await open().verify(body.access_token)
  expect(verified).toMatchObject({ ok: true, value: { sub: person.user, client_id: 'miniprogram' } })
  expect(verified.ok && verified.value.sid).toBeUndefined()
})

type Given = string | undefined

test.each<[what: string, token: () => Given | Promise<Given>, code: RefusalCode]>([
  ['no token', () => undefined, 'TOKEN_MISSING'],
  ['an empty token', () => '', 'TOKEN_MISSING'],
  ['a word', () => 'x', 'TOKEN_MALFORMED'],
  ['three words', () => 'a.b.c', 'TOKEN_MALFORMED'],
  ['letters that no token has', () => 'é.é.é', 'TOKEN_MALFORMED'],
  ['an endless token', () => `${person.access_token}${'x'.repeat(5_000)}`, 'TOKEN_MALFORMED'],
  ['a refresh token', () => person.refresh_token, 'TOKEN_MALFORMED'],
  ['a token that never expires', () => signer.sign({ exp: undefined }), 'TOKEN_MALFORMED'],
  ['a token without a person', () => signer.sign({ sub: undefined }), 'TOKEN_MALFORMED'],
  ['a token with a critical extension', () => altered({ header: { crit: ['x'], x: 1 } }), 'TOKEN_MALFORMED'],
  ['the algorithm none', () => altered({ header: { alg: 'none' }, signature: '' }), 'ALGORITHM_REFUSED'],
  ['the algorithm none with a signature', () => altered({ header: { alg: 'none' } }), 'ALGORITHM_REFUSED'],
  ['the published key as a secret of HS256', withPublishedKey, 'ALGORITHM_REFUSED'],
  ['the id token', () => person.id_token, 'TYPE_WRONG'],
  ['changed claims', () => altered({ claims: { sub: 'victim' } }), 'SIGNATURE_WRONG'],
  ['a key of somebody else under the name of ours', withAnotherKey, 'SIGNATURE_WRONG'],
  ['a key that nobody published', () => signer.sign({}, { kid: 'unknown' }), 'KEY_UNKNOWN'],
  ['another issuer', () => signer.sign({ iss: 'https://other.example/oidc' }), 'ISSUER_WRONG'],
  ['no issuer', () => signer.sign({ iss: undefined }), 'ISSUER_WRONG'],
  ['another audience', () => signer.sign({ aud: 'https://other.example' }), 'AUDIENCE_WRONG'],
  ['no audience', () => signer.sign({ aud: undefined }), 'AUDIENCE_WRONG'],
  ['a phone’s token', () => phoneToken(cluster.origin, 'Ada'), 'PHONE_TOKEN'],
  ['a token for backends and the phone', () => signer.sign({ aud: audiences() }), 'PHONE_TOKEN'],
  ['an expired token', () => signer.sign({ exp: inAnHour() - 3_601 }), 'TOKEN_EXPIRED'],
  ['a token of tomorrow', () => signer.sign({ nbf: inAnHour(), exp: inAnHour() + 600 }), 'TOKEN_EARLY'],
])('refused: %s', async (_, token, code) => {
  const { status, react } = refusals[code]
  expect(await open().verify(await token())).toEqual({
    ok: false,
    code,
    status,
    react,
    message: expect.stringMatching(/^[A-Z].*\.$/),
  })
})

test('a phone’s token is refused also by a verifier of its audience', async () => {
  const phone = await phoneToken(cluster.origin, 'Ada')
  const verifier = open({ audience: `${cluster.origin}/v1` })
  expect(await verifier.verify(phone)).toMatchObject({ ok: false, code: 'PHONE_TOKEN' })
  expect(await verifier.verify(person.access_token)).toMatchObject({ ok: false, code: 'AUDIENCE_WRONG' })
})

test('a token of another issuer is named in the message, in one line, and costs no fetch', async () => {
  let fetches = 0
  const verifier = open({
    fetch: async (input, init) => {
      fetches++
      return fetch(input, init)
    },
  })
  const foreign = await signer.sign({ iss: 'https://other\nexample/oidc' })
  expect(await verifier.verify(foreign)).toMatchObject({
    code: 'ISSUER_WRONG',
    message: expect.stringContaining('"https://other\\nexample/oidc"'),
  })
  expect(fetches).toBe(0)
  expect(await verifier.verify(person.access_token)).toMatchObject({ ok: true })
  expect(fetches).toBe(1)
})

test('the clocks may differ by as much as is allowed', async () => {
  const { iat = 0 } = decodeJwt(person.access_token)
  const at = (seconds: number, clockToleranceSeconds = 0) =>
    open({ date: () => new Date((iat + seconds) * 1_000), clockToleranceSeconds })
  expect(await at(599).verify(person.access_token)).toMatchObject({ ok: true })
  expect(await at(600).verify(person.access_token)).toMatchObject({ code: 'TOKEN_EXPIRED' })
  expect(await at(629, 30).verify(person.access_token)).toMatchObject({ ok: true })
  expect(await at(630, 30).verify(person.access_token)).toMatchObject({ code: 'TOKEN_EXPIRED' })
})

test.each<[what: string, answer: () => Promise<Response>, reason: string]>([
  ['a status', async () => new Response('', { status: 502 }), 'HTTP status 502'],
  ['a redirection', async () => new Response(null, { status: 301 }), 'HTTP status 301'],
  ['a page', async () => new Response('<html>'), 'JSON'],
  ['another JSON', async () => new Response('{"keys":"none"}'), 'JSON Web Key Set'],
  [
    'no connection',
    () => Promise.reject(new TypeError('fetch failed', { cause: { code: 'ECONNREFUSED' } })),
    'ECONNREFUSED',
  ],
])('without keys a token is neither good nor bad: %s', async (_, answer, reason) => {
  const verifier = open({ fetch: answer })
  expect(await verifier.verify(person.access_token)).toMatchObject({
    ok: false,
    code: 'KEYS_UNREACHABLE',
    status: 503,
    react: 'retry',
    retryAfterMs: 2_000,
    message: expect.stringContaining(reason),
  })
})

test('an origin that is none is the mistake of a program, and told at once', () => {
  expect(() => createVerifier({ origin: 'login.example.com' })).toThrow('Invalid URL')
  expect(() => open({ jwksUrl: '/oidc/jwks' })).toThrow('Invalid URL')
})

test.each([
  [undefined, undefined],
  [null, undefined],
  ['', undefined],
  ['Bearer', undefined],
  ['Bearer ', undefined],
  ['Basic YTpi', undefined],
  ['Bearer a.b.c', 'a.b.c'],
  ['bearer  a.b.c', 'a.b.c'],
  ['Bearer a b', 'a b'],
  ['DPoP a.b.c', 'a.b.c'],
])('the token of the header %p is %p', (header, token) => {
  expect(bearerOf(header)).toBe(token)
})

test('PROTOCOL.md lists every refusal with its reaction', () => {
  const prose = readFileSync(new URL('../../../PROTOCOL.md', import.meta.url), 'utf8')
  const found = prose.matchAll(/^\| `([A-Z_]+)` \| (401|503) \| (\w+) \| \S/gm)
  const rows = [...found].map(([, code, status, react]) => [code, Number(status), react])
  expect(rows).toEqual(Object.entries(refusals).map(([code, { status, react }]) => [code, status, react]))
})
