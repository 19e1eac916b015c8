import { createHmac, randomUUID } from 'node:crypto'
import { connectLive, createTicket, request, scan } from '@saoma/testing'
import { json, startBusinessServer } from './business-server.ts'
import { AUDIENCE, createJwtSigner, ISSUER, inSeconds } from './jwt-signer.ts'
import { ASTRAY, claimsOf, expectRefused, JWT, personOf, STRICT, startOwnAppStage } from './own-app-stage.ts'

/* Tokens and keys of the company's own app that are no good, or used again: the table of SECURITY.md. */

const stage = await startOwnAppStage()
const { cluster, nodeA, nodeB, byTurns, first, strict, inside } = stage
const { sign, exchange, judged, createKey, sessions } = stage

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
