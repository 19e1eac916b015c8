import { createHash, createHmac, randomUUID } from 'node:crypto'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { TOKEN_EXCHANGE_GRANT } from '@saoma/protocol'
import {
  type Answer,
  type Cluster,
  connectLive,
  createTicket,
  onCleanup,
  plainEnv,
  redeem,
  request,
  scan,
  startCluster,
  startGateway,
  startProcess,
  testAdminKey,
  until,
} from '@saoma/testing'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import { type BusinessServer, json, startBusinessServer } from './business-server.ts'
import { AUDIENCE, createJwtSigner, ISSUER, inSeconds, type JwtSigner } from './jwt-signer.ts'

/*
 * The company's own app as the phone: its backend's token for a phone's, on two nodes behind nginx, without
 * WeChat and without demo mode. The honest app is the one of examples/own-app.
 */

interface Told {
  status: number
  body: Record<string, unknown>
}
interface StandIn {
  exchange(): Promise<Told>
  scan(ticket: string): Promise<Told>
  confirm(ticket: string): Promise<Told>
  reject(ticket: string): Promise<Told>
  logins(): Promise<Told>
  end(sid: string): Promise<Told>
}
type CreateOwnApp = (options: {
  saoma: string
  backend: string
  session: string
  node?: () => string
}) => Promise<StandIn>

const example = new URL('../../../examples/own-app/', import.meta.url)
const { createOwnApp } = (await import(new URL('app.ts', example).href)) as { createOwnApp: CreateOwnApp }

const JWT = 'urn:ietf:params:oauth:token-type:jwt'
/** The issuer whose apps must prove a key. Its ids are in another claim. */
const STRICT = 'https://strict.business.example'
/** One whose keys lie behind a redirect. */
const ASTRAY = 'https://astray.business.example'
const LEVEL = 'https://shop.example.com/level'

let cluster: Cluster
let backend: string
let file: string
let first: JwtSigner
let strict: JwtSigner
/** A server that only the nodes reach, and that nobody has named. */
let inside: BusinessServer
/** The published keys of the issuer `shop`. */
let publish: (...keys: JWK[]) => Promise<void>
/** The issuers that the nodes have at the beginning. */
let issuers: Record<string, unknown>[]

/** Writes a file as people should: beside the old one, and then in its place. */
const replace = async (path: string, text: string): Promise<void> => {
  await writeFile(`${path}.new`, text)
  await rename(`${path}.new`, path)
}
const writeIssuers = (text: string): Promise<void> => replace(file, text)

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-phone-'))
  onCleanup(() => rm(folder, { recursive: true, force: true }))
  file = join(folder, 'issuers.json')
  ;[first, strict] = await Promise.all([createJwtSigner('first'), createJwtSigner('strict', 'RS256')])
  inside = await startBusinessServer(json({ keys: [first.jwk] }))
  const astray = await startBusinessServer((res) => void res.writeHead(302, { location: inside.url }).end())
  publish = (...keys) => replace(join(folder, 'shop.json'), JSON.stringify({ keys }))
  await publish(first.jwk)
  await writeFile(join(folder, 'strict.json'), JSON.stringify({ keys: [strict.jwk] }))
  const own = await startProcess({
    name: 'the backend of an app',
    command: process.execPath,
    args: [fileURLToPath(new URL('backend.ts', example))],
    env: { ...plainEnv(), PORT: '0', AUDIENCE, ISSUER: 'https://login.acme.example' },
    ready: ({ text }) => text.startsWith('listening on '),
  })
  backend = own.lines.map(({ text }) => /^listening on (.*)$/.exec(text)?.[1]).find(Boolean) ?? ''
  issuers = [
    { name: 'acme', issuer: 'https://login.acme.example', jwks_uri: `${backend}/jwks.json`, audience: AUDIENCE },
    {
      name: 'shop',
      issuer: ISSUER,
      jwks_file: join(folder, 'shop.json'),
      audience: AUDIENCE,
      profile_claims: { name: 'nickname' },
    },
    {
      ...{ name: 'strict', issuer: STRICT, jwks_file: join(folder, 'strict.json'), audience: ['other', AUDIENCE] },
      ...{ person_claim: 'uid', dpop_bound_access_tokens: true },
    },
    { name: 'astray', issuer: ASTRAY, jwks_uri: astray.url, audience: AUDIENCE },
  ]
  await writeIssuers(JSON.stringify(issuers, undefined, 1))
  cluster = await startCluster({
    nodes: 2,
    appendonly: true,
    env: { SAOMA_DEMO: 'false', NODE_ENV: 'production', SAOMA_PHONE_ISSUERS: file, SAOMA_APP_NAME: 'Acme' },
  })
}, 90_000)
afterAll(() => cluster.stop())

/** The nodes by turns, so that each step is at another one than the step before. */
const byTurns = (): (() => string) => {
  let turn = 0
  return () => cluster.nodes[turn++ % cluster.nodes.length]?.origin ?? ''
}
const [nodeA, nodeB] = [() => cluster.nodes[0]?.origin ?? '', () => cluster.nodes[1]?.origin ?? '']

const appOf = async (person: string, node: () => string = () => cluster.origin): Promise<StandIn> => {
  const { body } = await request<{ session: string }>(`${backend}/login`, { json: { person } })
  return createOwnApp({ saoma: cluster.origin, backend, session: body.session, node })
}
const claimsOf = (token: unknown): Record<string, unknown> =>
  JSON.parse(Buffer.from(String(token).split('.')[1] ?? '', 'base64url').toString())

/** A good token of the issuer `shop`, except for what is given. */
const sign = (claims: Record<string, unknown> = {}, header = {}): Promise<string> =>
  first.sign({ jti: randomUUID(), ...claims }, header)
const exchange = (
  token: string,
  more: Record<string, string> = {},
  { node = cluster.origin, dpop }: { node?: string; dpop?: string } = {},
): Promise<Answer<Record<string, string>>> =>
  request(`${node}/oidc/token`, {
    form: {
      grant_type: TOKEN_EXCHANGE_GRANT,
      client_id: 'phone',
      subject_token: token,
      subject_token_type: JWT,
      ...more,
    },
    ...(dpop ? { headers: { dpop } } : {}),
  })
/**
 * The answer about tokens, once the keys have been read again. Until then nobody can say that one is unknown.
 */
const judged = (make: () => Promise<string>): Promise<Answer<Record<string, string>>> =>
  until(
    async () => exchange(await make()),
    ({ status }) => status < 500,
  )
/** The person of a token that was given. */
const personOf = ({ status, body }: Answer<Record<string, string>>): unknown => {
  expect({ status, error: body.error_description ?? '' }).toEqual({ status: 200, error: '' })
  return claimsOf(body.access_token).sub
}
const expectRefused = ({ status, body }: Answer<Record<string, string>>, words: string | RegExp): void =>
  expect({ status, ...body }).toMatchObject({
    status: 400,
    error: 'invalid_request',
    error_description: expect.stringMatching(words),
  })

/** A key of an app, and its proofs. */
const createKey = async (alg = 'ES256') => {
  const { publicKey, privateKey } = await generateKeyPair(alg)
  const jwk = await exportJWK(publicKey)
  return {
    jkt: await calculateJwkThumbprint(jwk),
    prove: (method: string, path: string, token?: string, claims: Record<string, unknown> = {}, header = {}) =>
      new SignJWT({
        ...{ htm: method, htu: `${cluster.origin}${path}`, jti: randomUUID(), iat: inSeconds(0) },
        ...(token ? { ath: createHash('sha256').update(token).digest('base64url') } : {}),
        ...claims,
      })
        .setProtectedHeader({ alg, typ: 'dpop+jwt', jwk, ...header })
        .sign(privateKey),
  }
}
const sessions = (headers: Record<string, string>) =>
  request<{ code?: string }>(`${cluster.origin}/v1/sessions`, { headers })

describe('an honest app', () => {
  test('confirms a login, each step on the other node, and ends it', async () => {
    const app = await appOf('ana', byTurns())
    const code = await createTicket(cluster.origin)
    expect(code.verification_uri_complete).toBe(`${cluster.origin}/l/${code.ticket}`)
    const exchanged = await app.exchange()
    expect(exchanged).toMatchObject({
      status: 200,
      body: {
        token_type: 'DPoP',
        issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        expires_in: 600,
        scope: 'openid',
      },
    })
    expect(claimsOf(exchanged.body.access_token)).toMatchObject({ client_id: 'phone', aud: `${cluster.origin}/v1` })
    const scanned = await app.scan(code.ticket)
    expect(scanned.body).toMatchObject({ request: { app: 'Acme' }, state: { status: 'scanned' } })
    expect(await app.confirm(code.ticket)).toMatchObject({ status: 200, body: { state: { status: 'confirmed' } } })
    const { body: tokens } = await redeem(nodeB(), code.device_code)
    const { sub } = claimsOf(exchanged.body.access_token)
    expect(claimsOf(tokens.id_token).sub).toBe(sub)

    const { sessions: logins } = (await app.logins()).body as { sessions: { sid: string }[] }
    expect(await app.end(logins[0]?.sid ?? '')).toMatchObject({ status: 200, body: { ended: 1 } })
    // The same person, with another key, is the same account.
    const again = await (await appOf('ana')).exchange()
    expect(claimsOf(again.body.access_token).sub).toBe(sub)
    const other = await (await appOf('ben')).exchange()
    expect(claimsOf(other.body.access_token).sub).not.toBe(sub)
  })

  test('declines', async () => {
    const app = await appOf('ana', byTurns())
    const { ticket } = await createTicket(cluster.origin)
    await app.exchange()
    await app.scan(ticket)
    expect(await app.reject(ticket)).toMatchObject({ status: 200, body: { state: { status: 'rejected' } } })
  })

  test('gives a person a name, which it may change, and leaves what else is known', async () => {
    const admin = async (sub: unknown) =>
      (
        await request<{ claims: object; identities: object[] }>(
          `${cluster.nodes[0]?.internalOrigin}/v1/admin/accounts/${sub}`,
          { bearer: testAdminKey },
        )
      ).body
    const sub = personOf(await exchange(await sign({ sub: 'cyd', nickname: 'Cyd' })))
    const identities = [{ provider: 'app', app: 'shop', id: 'cyd' }]
    expect(await admin(sub)).toMatchObject({ claims: { name: 'Cyd' }, identities })
    expect(personOf(await exchange(await sign({ sub: 'cyd', nickname: 'Cydney' })))).toBe(sub)
    expect(await admin(sub)).toMatchObject({ claims: { name: 'Cydney' } })
    // A name that an account cannot have is no reason to refuse somebody.
    expect(personOf(await exchange(await sign({ sub: 'cyd', nickname: { not: 'a name' } })))).toBe(sub)
    expect(await admin(sub)).toMatchObject({ claims: { name: 'Cydney' } })
  })

  test('has people with long numbers', async () => {
    const claims = (id: string) =>
      `{"iss":"${ISSUER}","aud":"${AUDIENCE}","sub":${id},"jti":"${randomUUID()}","iat":${inSeconds(0)},"exp":${inSeconds(60)}}`
    const one = personOf(await exchange(await first.signText(claims('9007199254740993'))))
    const other = personOf(await exchange(await first.signText(claims('9007199254740992'))))
    expect(one).not.toBe(other)
    expect(personOf(await exchange(await sign({ sub: '9007199254740993' })))).toBe(one)
    expectRefused(await exchange(await first.signText(claims('0'))), 'names the person')
  })

  test('goes on when a node is killed in the middle', async () => {
    const app = await appOf('dan')
    const code = await createTicket(cluster.origin)
    await app.exchange()
    await cluster.nodes[0]?.kill()
    const patient = (step: () => Promise<Told>) =>
      until(
        () => step().catch(() => ({ status: 0, body: {} })),
        ({ status }) => status === 200,
      )
    expect((await patient(() => app.scan(code.ticket))).body).toMatchObject({ state: { status: 'scanned' } })
    await cluster.nodes[0]?.restart()
    await cluster.nodes[1]?.kill()
    // Its token is as good at a node that was not there when it was given.
    await patient(() => app.confirm(code.ticket))
    await cluster.nodes[1]?.restart()
    await until(
      () => redeem(cluster.origin, code.device_code),
      ({ status }) => status === 200,
    )
    await patient(() => app.exchange())
  })
})

describe('a token that is used again', () => {
  test('is refused on the other node too', async () => {
    const token = await sign()
    personOf(await exchange(token, {}, { node: nodeA() }))
    expectRefused(await exchange(token, {}, { node: nodeB() }), 'used before')
  })

  test('gives one phone token, however many ask at once', async () => {
    const token = await sign()
    const node = byTurns()
    const answers = await Promise.all(Array.from({ length: 12 }, () => exchange(token, {}, { node: node() })))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  })

  test('is the same token under another signature', async () => {
    // Of an ES256 signature (r, s), (r, n - s) is good too.
    const token = await sign()
    const [header, payload, signature = ''] = token.split('.')
    const bytes = Buffer.from(signature, 'base64url')
    const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
    const s = order - BigInt(`0x${bytes.subarray(32).toString('hex')}`)
    const other = Buffer.concat([bytes.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex')])
    personOf(await exchange(token))
    expectRefused(await exchange(`${header}.${payload}.${other.toString('base64url')}`), 'used before')
  })

  test('is another one where another issuer drew the same id', async () => {
    const key = await createKey()
    const claims = { jti: randomUUID(), uid: 'eve' }
    const dpop = await key.prove('POST', '/oidc/token')
    personOf(await exchange(await strict.sign({ iss: STRICT, ...claims }), {}, { dpop }))
    personOf(await exchange(await sign(claims)))
  })

  test('is not used up by somebody who has the token alone', async () => {
    const token = await sign({ cnf: { jkt: 'a'.repeat(43) } })
    expectRefused(await exchange(token), 'must prove a key')
    expectRefused(
      await exchange(token, {}, { dpop: await (await createKey()).prove('POST', '/oidc/token') }),
      'bound to another key',
    )
  })
})

describe('a forged token', () => {
  const [now, past] = [inSeconds(0), inSeconds(-1_000)]
  type Forgery = [claims: Record<string, unknown>, words: string, header?: Record<string, unknown>]
  test.each<[what: string, ...Forgery]>([
    ['of a foreign issuer', { iss: 'https://login.elsewhere.example' }, 'issuer is not known'],
    ['of no issuer', { iss: undefined }, 'issuer is not known'],
    ['of several issuers', { iss: [ISSUER] }, 'issuer is not known'],
    ['for another audience', { aud: 'https://other.example' }, 'another audience'],
    ['for nobody', { aud: undefined }, 'another audience'],
    ['that has expired', { iat: past, exp: past + 300 }, 'has expired'],
    ['that never expires', { exp: undefined }, 'needs exp and iat'],
    ['of an unknown time', { iat: undefined }, 'needs exp and iat'],
    ['with a time in words', { exp: '2999' }, 'needs exp and iat'],
    ['that is not valid yet', { nbf: now + 300 }, 'not valid yet'],
    ['of the future', { iat: now + 300, exp: now + 400 }, 'not valid yet'],
    ['that lives for an hour', { exp: now + 3_600 }, 'more than ten minutes'],
    ['without an id', { jti: undefined }, 'needs a jti'],
    ['with an endless id', { jti: 'x'.repeat(257) }, 'needs a jti'],
    ['of nobody', { sub: undefined }, 'names the person'],
    ['of somebody with an endless name', { sub: 'x'.repeat(129) }, 'names the person'],
    ['of an object', { sub: { id: 1 } }, 'names the person'],
    ['that tells of a logout', {}, 'typ does not fit', { typ: 'logout+jwt' }],
    ['that is a proof', {}, 'typ does not fit', { typ: 'dpop+jwt' }],
    ['of an unknown key', {}, 'not among the published ones', { kid: 'unknown' }],
    ['that is bound to a certificate', { cnf: { 'x5t#S256': 'a' } }, 'in another way'],
  ])('%s is refused', async (_what, ...[claims, words, header]) => {
    const answer = await judged(() => sign(claims, header))
    expectRefused(answer, words)
    expect(answer.body).not.toHaveProperty('access_token')
    expect(answer.headers.get('cache-control')).toBe('no-store')
  })

  const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const good = () => ({ iss: ISSUER, aud: AUDIENCE, sub: 'anna', jti: randomUUID(), iat: now, exp: now + 300 })

  test('signed with the public key as a secret is refused', async () => {
    for (const secret of [JSON.stringify(first.jwk), JSON.stringify({ keys: [first.jwk] }), String(first.jwk.x)])
      for (const alg of ['HS256', 'HS512']) {
        const text = `${encoded({ alg, kid: 'first' })}.${encoded(good())}`
        const mac = createHmac(alg.replace('HS', 'sha'), secret).update(text).digest('base64url')
        expectRefused(await exchange(`${text}.${mac}`), 'algorithm is not allowed')
      }
  })

  test('that is not signed, or signed by somebody else, is refused', async () => {
    for (const alg of ['none', 'None', 'NONE'])
      expectRefused(
        await exchange(`${encoded({ alg, kid: 'first' })}.${encoded(good())}.`),
        /algorithm is not allowed|no signed JWT/,
      )
    const stranger = await createJwtSigner('first')
    expectRefused(await exchange(await stranger.sign({ jti: randomUUID() })), 'signature is wrong')
    // The key of another issuer, which the nodes know.
    expectRefused(
      await judged(() => strict.sign({ jti: randomUUID() }, { kid: 'first' })),
      'not among the published ones',
    )
    const [header, , signature] = (await sign()).split('.')
    expectRefused(await exchange(`${header}.${encoded(good())}.${signature}`), 'signature is wrong')
  })

  test('that brings its own key, or says where it is, is refused, and nobody is asked', async () => {
    const attacker = await createJwtSigner('first')
    const trap = await startBusinessServer(json({ keys: [attacker.jwk] }))
    for (const header of [{ jwk: attacker.jwk }, { jku: trap.url }, { x5u: trap.url }]) {
      const token = await attacker.sign({ jti: randomUUID() }, header as never)
      expectRefused(await exchange(token), 'signature is wrong')
    }
    expect(trap.questions).toEqual([])
  })

  test('whose keys lie behind a redirect is not judged, and the redirect is not followed', async () => {
    const answer = await exchange(await sign({ iss: ASTRAY }))
    expect({ status: answer.status, ...answer.body }).toMatchObject({
      status: 502,
      error: 'temporarily_unavailable',
      code: 'BACKEND_UNAVAILABLE',
    })
    expect(inside.questions).toEqual([])
  })

  test.each<[what: string, more: Record<string, string>, error: string]>([
    ['no type of the token', { subject_token_type: '' }, 'invalid_request'],
    ['an unknown type', { subject_token_type: 'urn:ietf:params:oauth:token-type:saml2' }, 'invalid_request'],
    ['a name of every object', { subject_token_type: 'toString' }, 'invalid_request'],
    ['an actor', { actor_token: 'x', actor_token_type: JWT }, 'invalid_request'],
    ['a refresh token', { requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' }, 'invalid_request'],
    ['a token for somebody else', { resource: 'https://shop.example.com' }, 'invalid_target'],
    ['a token for another audience', { audience: 'shop' }, 'invalid_target'],
    ['more scopes', { scope: 'openid profile' }, 'invalid_scope'],
    ['another client', { client_id: 'web' }, 'invalid_request'],
    ['the client of a mini-program', { client_id: 'miniprogram' }, 'invalid_request'],
    ['an unknown client', { client_id: 'nobody' }, 'invalid_client'],
    ['an endless token', { subject_token: 'x'.repeat(9_000) }, 'invalid_request'],
    ['no token', { subject_token: '' }, 'invalid_request'],
    ['no JWT', { subject_token: 'a.b.c' }, 'invalid_request'],
  ])('a request for %s is refused, and spends nothing', async (_what, more, error) => {
    const token = await sign()
    const answer = await exchange(token, more)
    expect([answer.status < 500, answer.body.error]).toEqual([true, error])
    if (!('subject_token' in more)) personOf(await exchange(token))
  })

  test('what a token is said to be has to fit it', async () => {
    const types = { id_token: 'JWT', access_token: 'at+jwt', jwt: 'at+jwt' }
    for (const [name, typ] of Object.entries(types))
      personOf(await exchange(await sign({}, { typ }), { subject_token_type: JWT.replace(/jwt$/, name) }))
    const wrong = { subject_token_type: JWT.replace(/jwt$/, 'id_token') }
    expectRefused(await exchange(await sign({}, { typ: 'at+jwt' }), wrong), 'typ does not fit')
    const forUs = { audience: `${cluster.origin}/v1`, resource: cluster.origin }
    personOf(await exchange(await sign(), forUs))
  })
})

describe('a key of the app', () => {
  test('is needed by each later call', async () => {
    const key = await createKey()
    const { body } = await exchange(await sign(), {}, { dpop: await key.prove('POST', '/oidc/token') })
    const token = body.access_token ?? ''
    expect([body.token_type, claimsOf(token).cnf]).toEqual(['DPoP', { jkt: key.jkt }])
    const bound = async (dpop: string, scheme = 'DPoP') =>
      (await sessions({ authorization: `${scheme} ${token}`, dpop })).status
    const good = await key.prove('GET', '/v1/sessions', token)
    expect(await bound(good)).toBe(200)
    // Whoever steals the token, or reads a whole request, has nothing.
    const other = await createKey()
    expect(await bound(good)).toBe(401)
    expect(await bound(await key.prove('GET', '/v1/sessions', token), 'Bearer')).toBe(401)
    expect((await sessions({ authorization: `Bearer ${token}` })).status).toBe(401)
    expect((await sessions({ authorization: `DPoP ${token}` })).status).toBe(401)
    for (const proof of [
      other.prove('GET', '/v1/sessions', token),
      key.prove('GET', '/v1/sessions'),
      key.prove('GET', '/v1/sessions', `${token}x`),
      key.prove('DELETE', '/v1/sessions', token),
      key.prove('GET', '/v1/me/activity', token),
      key.prove('GET', '/v1/sessions', token, { iat: inSeconds(-1_000) }),
      key.prove('GET', '/v1/sessions', token, { iat: inSeconds(1_000) }),
      key.prove('GET', '/v1/sessions', token, { jti: undefined }),
      key.prove('GET', '/v1/sessions', token, {}, { typ: 'JWT' }),
      key.prove('GET', '/v1/sessions', token, { htu: 'https://elsewhere.example/v1/sessions' }),
    ])
      expect(await bound(await proof)).toBe(401)
    const { ticket } = await createTicket(cluster.origin)
    expect((await scan(cluster.origin, ticket, token)).status).toBe(401)
    const headers = {
      authorization: `DPoP ${token}`,
      dpop: await key.prove('POST', `/v1/tickets/${ticket}/scan`, token),
    }
    expect((await request(`${nodeB()}/v1/tickets/${ticket}/scan`, { method: 'POST', headers })).status).toBe(200)
    // Nor is it good at a socket, alone.
    const live = connectLive(cluster.origin, { token, reconnection: false })
    expect((await live.next('connect_error')).data).toMatchObject({ code: 'UNAUTHORIZED' })
  })

  test('is not taken from a token without one', async () => {
    const { body } = await exchange(await sign())
    const token = body.access_token ?? ''
    expect(body.token_type).toBe('Bearer')
    expect((await sessions({ authorization: `Bearer ${token}` })).status).toBe(200)
    const dpop = await (await createKey()).prove('GET', '/v1/sessions', token)
    expect((await sessions({ authorization: `DPoP ${token}`, dpop })).status).toBe(401)
  })

  test('has to be proved at the exchange as the proof says it', async () => {
    const key = await createKey()
    const proof = await key.prove('POST', '/oidc/token')
    personOf(await exchange(await sign(), {}, { dpop: proof }))
    const again = await exchange(await sign(), {}, { dpop: proof, node: nodeB() })
    expect([again.status, again.body.error]).toEqual([400, 'invalid_grant'])
    for (const wrong of [
      key.prove('GET', '/oidc/token'),
      key.prove('POST', '/oidc/token/revocation'),
      key.prove('POST', '/oidc/token', undefined, { iat: inSeconds(-1_000) }),
      'no proof',
    ]) {
      const answer = await exchange(await sign(), {}, { dpop: await wrong })
      expect([answer.status, answer.body.error]).toEqual([400, 'invalid_dpop_proof'])
    }
  })

  test('may be named by the backend, or demanded of all apps of an issuer', async () => {
    const [key, thief] = await Promise.all([createKey(), createKey()])
    const token = await sign({ cnf: { jkt: key.jkt } })
    expectRefused(await exchange(token), 'must prove a key')
    const stolen = await thief.prove('POST', '/oidc/token')
    expectRefused(await exchange(token, {}, { dpop: stolen }), 'bound to another key')
    // The app itself still can.
    personOf(await exchange(token, {}, { dpop: await key.prove('POST', '/oidc/token') }))
    const uid = await strict.sign({ iss: STRICT, uid: 'fay', jti: randomUUID() })
    expectRefused(await exchange(uid), 'must prove a key')
    personOf(await exchange(uid, {}, { dpop: await key.prove('POST', '/oidc/token') }))
  })
})

describe('people and operators', () => {
  const acts = (sub: unknown, act: string) =>
    request(`${cluster.nodes[1]?.internalOrigin}/v1/admin/accounts/${sub}${act}`, {
      method: act ? 'POST' : 'DELETE',
      bearer: testAdminKey,
      ...(act ? { json: {} } : {}),
    })

  test('a disabled account gets no phone, and its phone scans nothing', async () => {
    const { body } = await exchange(await sign({ sub: 'gus' }))
    const { sub } = claimsOf(body.access_token)
    expect((await acts(sub, '/disable')).status).toBeLessThan(300)
    const answer = await exchange(await sign({ sub: 'gus' }))
    expect([answer.status, answer.body.error, answer.body.code]).toEqual([403, 'access_denied', 'ACCOUNT_DISABLED'])
    const { ticket } = await createTicket(cluster.origin)
    expect(await scan(cluster.origin, ticket, body.access_token ?? '')).toMatchObject({
      body: { code: 'ACCOUNT_DISABLED' },
    })
    expect((await acts(sub, '/enable')).status).toBeLessThan(300)
    expect(personOf(await exchange(await sign({ sub: 'gus' })))).toBe(sub)
  })

  test('who was deleted is somebody new, and the phone of before is nobody', async () => {
    const { body } = await exchange(await sign({ sub: 'hal' }))
    const { sub } = claimsOf(body.access_token)
    await until(
      () => acts(sub, ''),
      ({ status }) => status < 300,
    )
    const { ticket } = await createTicket(cluster.origin)
    expect(await scan(cluster.origin, ticket, body.access_token ?? '')).toMatchObject({
      status: 401,
      body: { code: 'REVOKED' },
    })
    expect(personOf(await exchange(await sign({ sub: 'hal' })))).not.toBe(sub)
  })

  test('the business is asked who somebody is, and may choose the sub or refuse', async () => {
    const business = await startBusinessServer((res, { body }) => {
      const { id } = body.identity as { id: string }
      const no = { allow: false, detail: 'Your contract has ended.' }
      json(id === 'ida' ? { allow: true, sub: 'emp-17', claims: { name: 'Ida', [LEVEL]: 3 } } : no)(res, {
        ...{ path: '', headers: {}, body },
      })
    })
    const node = await startGateway({
      redisUrl: cluster.redis.url,
      nodeId: 'hook',
      origin: cluster.origin,
      env: {
        ...{ SAOMA_DEMO: 'false', SAOMA_PHONE_ISSUERS: file, SAOMA_ACCOUNT_CLAIMS: LEVEL },
        ...{
          SAOMA_ACCOUNT_URL: business.url,
          SAOMA_ACCOUNT_SECRET: 'a secret of sixteen',
          SAOMA_ACCOUNT_WHEN: 'login',
        },
      },
    })
    const at = { node: node.origin }
    expect(personOf(await exchange(await sign({ sub: 'ida', nickname: 'Not Ida' }), {}, at))).toBe('emp-17')
    const refused = await exchange(await sign({ sub: 'jim' }), {}, at)
    expect({ status: refused.status, ...refused.body }).toMatchObject({
      ...{ status: 403, error: 'access_denied', code: 'ACCOUNT_REFUSED', detail: 'Your contract has ended.' },
    })
    const identity = { provider: 'app', app: 'shop', id: 'ida' }
    expect(business.questions[0]?.body).toEqual({ action: 'birth', identity })
    const { body } = await request(`${node.internalOrigin}/v1/admin/accounts/emp-17`, { bearer: testAdminKey })
    expect(body).toMatchObject({ claims: { name: 'Ida', [LEVEL]: 3 } })
    await node.stop()
  })

  test('people of an app are imported beside those of WeChat', async () => {
    const people = join(file, '../people.jsonl')
    const lines = [
      { provider: 'app', app: 'shop', id: 'kim', sub: 'emp-18', claims: { name: 'Kim' } },
      { provider: 'app', app: 'nobody', id: 'kim', sub: 'emp-18' },
      { id: 'oKim', sub: 'emp-18' },
    ]
    await writeFile(people, lines.map((line) => JSON.stringify(line)).join('\n'))
    const run = await startProcess({
      name: 'accounts import',
      command: process.execPath,
      args: [fileURLToPath(new URL('../src/bin/accounts.ts', import.meta.url)), 'import', people],
      env: {
        ...plainEnv(),
        ...{ SAOMA_ORIGIN: cluster.origin, SAOMA_SECRET: 'a secret of tests, which nobody keeps' },
        ...{
          REDIS_URL: cluster.redis.url,
          SAOMA_PHONE_ISSUERS: file,
          WECHAT_APPID: 'wx1',
          WECHAT_SECRET: 'y'.repeat(32),
        },
      },
    })
    await run.exited
    const said = run.lines.map(({ text }) => text)
    expect(said).toContainEqual(expect.stringMatching(/^line 2: app does not fit/))
    expect(said.at(-1)).toMatch(/1 new, 1 added to an account, 0 known, 1 bad/)
    expect(personOf(await exchange(await sign({ sub: 'kim' })))).toBe('emp-18')
  })

  test('the audit has each phone that was admitted, and misuse of tokens', async () => {
    const token = await sign({ sub: 'lea' })
    const sub = personOf(await exchange(token))
    await exchange(token)
    const entries = async (query: string) =>
      (
        await request<{ entries: Record<string, unknown>[] }>(
          `${cluster.nodes[0]?.internalOrigin}/v1/admin/audit?${query}`,
          { bearer: testAdminKey },
        )
      ).body.entries
    const admitted = await until(
      () => entries(`person=${sub}&kind=phone.admitted`),
      (all) => all.length === 1,
    )
    expect(admitted[0]).toMatchObject({ app: 'shop', client: 'phone', ip: '127.0.0.1', person: sub })
    const refused = await until(
      () => entries('kind=phone.refused'),
      (all) => all.some(({ reason }) => reason === 'used'),
    )
    expect(refused.find(({ reason }) => reason === 'used')).toMatchObject({ client: 'phone', ip: '127.0.0.1' })
  })

  test('a mistake in the file changes nothing, and a new issuer needs no restart', async () => {
    const problemsOn = () =>
      until(
        async () =>
          cluster.nodes.map(({ lines }) => lines.findLast(({ json: line }) => line?.event === 'phone-issuers')?.json),
        (found) => found.every((line) => line !== undefined),
      )
    const text = JSON.stringify(issuers, undefined, 1)
    await writeIssuers(text.replace('"audience"', '"audiences": 1,\n  "audience"'))
    for (const line of await problemsOn())
      expect(line?.problems).toEqual(['line 6: audiences is no member of an issuer'])
    personOf(await exchange(await sign()))

    const late = 'https://late.business.example'
    await writeIssuers(JSON.stringify([...issuers, { ...issuers[1], name: 'late', issuer: late }]))
    for (const node of [nodeA(), nodeB()])
      await until(
        async () => exchange(await sign({ iss: late }), {}, { node }),
        ({ status }) => status === 200,
      )
    await writeIssuers(text)
    for (const node of [nodeA(), nodeB()])
      await until(
        async () => exchange(await sign({ iss: late }), {}, { node }),
        ({ status, body }) => status === 400 && /issuer is not known/.test(body.error_description ?? ''),
      )
  })

  test('keys are rotated: the next one is taken, the former one is not any more', async () => {
    const next = await createJwtSigner('next')
    await publish(first.jwk, next.jwk)
    for (const node of [nodeA(), nodeB()]) {
      await until(
        async () => exchange(await next.sign({ jti: randomUUID() }), {}, { node }),
        ({ status }) => status === 200,
      )
      personOf(await exchange(await sign(), {}, { node }))
    }
    await publish(next.jwk)
    for (const node of [nodeA(), nodeB()])
      await until(
        async () => exchange(await sign(), {}, { node }),
        ({ status }) => status === 400,
      )
    personOf(await exchange(await next.sign({ jti: randomUUID() })))
    await publish(first.jwk)
  })

  test('without Redis the answer says when to come again, and nothing is spent', async () => {
    const token = await strict.sign({ iss: STRICT, uid: 'max', jti: randomUUID() })
    const key = await createKey()
    await cluster.redis.kill()
    const answer = await exchange(token, {}, { dpop: await key.prove('POST', '/oidc/token') })
    expect([answer.status, answer.body.error]).toEqual([503, 'temporarily_unavailable'])
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    await cluster.redis.restart()
    await until(
      async () => exchange(token, {}, { dpop: await key.prove('POST', '/oidc/token') }),
      ({ status }) => status === 200,
    )
  })
})

test('without issuers there is no such grant', async () => {
  const node = await startGateway({
    redisUrl: cluster.redis.url,
    nodeId: 'none',
    origin: cluster.origin,
    env: { SAOMA_ORIGIN: cluster.origin },
  })
  const answer = await exchange(await sign(), {}, { node: node.origin })
  expect([answer.status, answer.body.error]).toEqual([400, 'unsupported_grant_type'])
  const { body } = await request<{ grant_types_supported: string[] }>(
    `${node.origin}/oidc/.well-known/openid-configuration`,
  )
  expect(body.grant_types_supported).not.toContain(TOKEN_EXCHANGE_GRANT)
})
