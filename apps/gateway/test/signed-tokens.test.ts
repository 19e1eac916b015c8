import { createHmac, generateKeyPairSync } from 'node:crypto'
import { exportJWK } from 'jose'
import { type SignatureAlgorithm, signatureAlgorithms } from '../src/access/key-set.ts'
import { json } from './business-server.ts'
import { upTo } from './fixtures.ts'
import { AUDIENCE, createJwtSigner, ISSUER, inSeconds } from './jwt-signer.ts'

import { DAY, key, next, publishing, serve, unauthorized, unavailable } from './open-signed-tokens.ts'

test('a JWT of the business is verified here, and the keys are fetched once for all', async () => {
  const { server, resolve } = await serve()
  const exp = inSeconds(600)
  const token = await key.sign({ exp, rooms: ['table-7'], sid: 's1', name: 'Anna' })
  const person = { kind: 'person', issuer: 'business', user: 'anna', sid: 's1', rooms: ['table-7'] }
  const all = await Promise.all(upTo(50).map(() => resolve(token)))
  // The leeway counts for the end, too.
  for (const one of all) expect(one).toEqual({ ok: true, value: { ...person, expiresAt: (exp + 10) * 1000 } })
  for (const i of upTo(20)) expect(await resolve(await key.sign({ sub: `p${i}` }))).toMatchObject({ ok: true })
  expect(server.questions).toHaveLength(1)
  expect(server.questions[0]?.headers.authorization).toBeUndefined()
})

test('a token without rooms and session is one of a person without them', async () => {
  const { resolve } = await serve()
  const person = { kind: 'person', issuer: 'business', user: 'anna', rooms: [], expiresAt: expect.any(Number) }
  expect(await resolve(await key.sign())).toEqual({ ok: true, value: person })
  expect(await resolve(await key.sign({ rooms: null, sid: null }))).toEqual({ ok: true, value: person })
})

test('claims may have other names, and a 64-bit number keeps its digits', async () => {
  const claims = { uid: 'user_id', rooms: 'https://acme.example/rooms', sid: 'session' }
  const { resolve } = await serve(publishing(key), { claims })
  const token = await key.sign({ user_id: 'x', 'https://acme.example/rooms': ['a', 'b'], session: 17, rooms: 'no' })
  expect(await resolve(token)).toMatchObject({ ok: true, value: { user: 'x', rooms: ['a', 'b'], sid: '17' } })
  expect(await resolve(await key.sign({ sub: 'anna' }))).toEqual(unauthorized)
  const text = JSON.stringify({ ...good(), user_id: 0 }).replace('"user_id":0', '"user_id":9007199254740993')
  expect(await resolve(await key.signText(text))).toMatchObject({ ok: true, value: { user: '9007199254740993' } })
})

test.each<[what: string, claims: () => Record<string, unknown>, reason: string]>([
  ['another issuer', () => ({ iss: `${ISSUER}/` }), 'issuer'],
  ['no issuer', () => ({ iss: undefined }), 'issuer'],
  ['another audience', () => ({ aud: 'https://shop.business.example' }), 'audience'],
  ['several other audiences', () => ({ aud: ['a', 'b'] }), 'audience'],
  ['no audience', () => ({ aud: undefined }), 'audience'],
  ['an nbf in a minute', () => ({ nbf: inSeconds(60) }), 'early'],
  ['an iat in a minute', () => ({ iat: inSeconds(60) }), 'early'],
  ['no exp', () => ({ exp: undefined }), 'times'],
  ['no iat', () => ({ iat: undefined }), 'times'],
  ['an exp in words', () => ({ exp: 'tomorrow' }), 'times'],
  ['an nbf in words', () => ({ nbf: 'now' }), 'times'],
  ['a life of more than 31 days', () => ({ exp: inSeconds(31 * DAY + 10), iat: inSeconds(0) }), 'life'],
  ['no uid', () => ({ sub: undefined }), 'uid'],
  ['a uid of null', () => ({ sub: null }), 'uid'],
  ['the uid 0, which is how many say nobody', () => ({ sub: 0 }), 'uid'],
  ['an empty uid', () => ({ sub: '' }), 'uid'],
  ['a uid of 129 characters', () => ({ sub: 'x'.repeat(129) }), 'uid'],
  ['a uid with other characters than channels have', () => ({ sub: '李雷' }), 'uid'],
  ['a uid that is an object', () => ({ sub: { id: 1 } }), 'uid'],
  ['rooms that are a text', () => ({ rooms: 'table-7' }), 'rooms'],
  ['rooms that are numbers', () => ({ rooms: [7] }), 'rooms'],
  ['a session that is an object', () => ({ sid: {} }), 'sid'],
  ['a session of 129 characters', () => ({ sid: 'x'.repeat(129) }), 'sid'],
])('nobody is let in by a JWT with %s, and the log says so once', async (_, claims, reason) => {
  const { resolve, refusals, clock } = await serve()
  expect(await resolve(await key.sign())).toMatchObject({ ok: true })
  const token = await key.sign(claims())
  for (const _ of upTo(3)) expect(await resolve(token)).toEqual(unauthorized)
  expect(refusals()).toEqual([
    expect.objectContaining({
      event: 'business',
      setting: 'SAOMA_AUTH_JWKS',
      reason,
      msg: expect.stringMatching(/^a token of the business is refused: ./),
    }),
  ])
  for (const part of token.split('.')) expect(JSON.stringify(refusals())).not.toContain(part)
  clock.pass(10_000)
  await resolve(token)
  expect(refusals()).toHaveLength(2)
})

const unsigned = (header: object, claims: object, signature = 'AAAA') => {
  const [first, second] = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
  return `${first}.${second}.${signature}`
}
const good = () => ({ iss: ISSUER, aud: AUDIENCE, sub: 'anna', iat: inSeconds(0), exp: inSeconds(600) })

test.each<[what: string, make: () => string | Promise<string>, reason: string]>([
  ['no signature', () => unsigned({ alg: 'none' }, good(), ''), 'algorithm'],
  [
    'the published key as a shared secret',
    () => {
      const [header, claims] = unsigned({ alg: 'HS256', kid: 'first' }, good()).split('.')
      const mac = createHmac('sha256', JSON.stringify(key.jwk)).update(`${header}.${claims}`).digest('base64url')
      return `${header}.${claims}.${mac}`
    },
    'algorithm',
  ],
  ['a signature of nothing', () => unsigned({ alg: 'ES256', kid: 'first' }, good()), 'signature'],
  ['the signature of another key with that name', async () => (await createJwtSigner('first')).sign(), 'signature'],
  ['a key that nobody published', async () => next.sign(), 'key'],
  ['the type of a logout token', () => key.sign({}, { typ: 'logout+jwt' }), 'type'],
  ['a header that is none', () => `AAAA.${unsigned({}, good()).split('.')[1]}.AAAA`, 'form'],
  ['no form of a JWT', () => 'a token', 'form'],
  ['claims that are none', () => unsigned({ alg: 'ES256' }, []), 'form'],
])('nobody is let in by a token with %s', async (_, make, reason) => {
  const { resolve, refusals, clock } = await serve()
  expect(await resolve(await key.sign())).toMatchObject({ ok: true })
  clock.pass(60_000)
  const answer = await resolve(await make())
  expect(answer).toEqual(unauthorized)
  expect(refusals().map((line) => line.reason)).toEqual([reason])
})

test('an expired token is refused as TOKEN_EXPIRED, and clocks may differ by ten seconds', async () => {
  const { server, resolve, clock, lines } = await serve()
  const token = await key.sign({ iat: inSeconds(-600), exp: inSeconds(-8), nbf: inSeconds(8) })
  expect(await resolve(token)).toMatchObject({ ok: true })
  expect(await resolve(await key.sign({ iat: inSeconds(8) }))).toMatchObject({ ok: true })
  clock.pass(3_000)
  expect(await resolve(token)).toEqual({ ok: false, code: 'TOKEN_EXPIRED' })
  // An unknown key makes no difference: nobody looks for it.
  expect(await resolve(await next.sign({ exp: inSeconds(-11) }))).toEqual({ ok: false, code: 'TOKEN_EXPIRED' })
  expect(server.questions).toHaveLength(1)
  expect(lines.filter(({ reason }) => reason === 'expired')).toEqual([expect.objectContaining({ level: 'info' })])
})

test('several audiences may be named, and the algorithms be fewer', async () => {
  const rules = { audiences: ['one', 'two'], algorithms: ['RS256'] satisfies SignatureAlgorithm[] }
  const rsa = await createJwtSigner('rsa', 'RS256')
  const { resolve, refusals } = await serve(publishing(key, rsa), rules)
  expect(await resolve(await rsa.sign({ aud: ['two', 'three'] }))).toMatchObject({ ok: true })
  expect(await resolve(await key.sign({ aud: 'one' }))).toEqual(unauthorized)
  expect(refusals()).toEqual([expect.objectContaining({ reason: 'algorithm', found: '"ES256"' })])
})

test.each(signatureAlgorithms)('a token may be signed with %s', async (alg) => {
  const signer = await createJwtSigner('one', alg)
  const { resolve } = await serve(publishing(signer))
  expect(await resolve(await signer.sign({}, { typ: 'at+jwt' }))).toMatchObject({ ok: true })
})

test('a token without the name of its key is good while one key fits', async () => {
  const { server, resolve, refusals, clock } = await serve()
  const token = await key.sign({}, { kid: undefined })
  expect(await resolve(token)).toMatchObject({ ok: true })
  server.answer = publishing(key, next)
  clock.pass(2_000)
  expect(await resolve(await next.sign())).toMatchObject({ ok: true })
  expect(await resolve(token)).toEqual(unauthorized)
  expect(refusals()).toEqual([expect.objectContaining({ reason: 'keys' })])
})

test('whatever is changed in a token, it is refused or the same', async () => {
  const { resolve } = await serve()
  const token = await key.sign({ rooms: ['a'] })
  const person = await resolve(token)
  for (let i = 0; i < token.length; i++)
    for (const letter of ['A', '.', 'é']) {
      const answer = await resolve(`${token.slice(0, i)}${letter}${token.slice(i + 1)}`)
      if (answer.ok) expect(answer).toEqual(person)
      else expect(['UNAUTHORIZED', 'BACKEND_UNAVAILABLE', 'TOKEN_EXPIRED']).toContain(answer.code)
    }
})

test('a published private key verifies nothing', async () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { resolve } = await serve(json({ keys: [{ ...(await exportJWK(privateKey)), kid: 'first' }] }))
  expect(await resolve(await key.sign())).toEqual(unavailable)
})

test('after an end only a token is good that was issued since', async () => {
  const { server, resolve } = await serve()
  const [end, iat] = [inSeconds(-100), (seconds: number) => key.sign({ iat: inSeconds(seconds) })]
  const [before, same, after] = await Promise.all([iat(-101), iat(-100), iat(-99)])
  const told = `${inSeconds(-400)}.a ${end}.b`
  for (const token of [before, same, after]) expect(await resolve(token)).toMatchObject({ ok: true })
  expect(await resolve(before, told)).toEqual({ ok: false, code: 'REVOKED' })
  expect(await resolve(same, told)).toMatchObject({ ok: true, value: { user: 'anna', lastEnd: told } })
  expect(await resolve(after, told)).toMatchObject({ ok: true, value: { lastEnd: told } })
  // Nobody knows when that was.
  expect(await resolve(after, 'an end')).toEqual({ ok: false, code: 'REVOKED' })
  expect(server.questions).toHaveLength(1)
})

test('only a JWT that names the issuer is one of its tokens', async () => {
  const { tokens } = await serve()
  expect(tokens.isOf(await key.sign())).toBe(true)
  expect(tokens.isOf(unsigned({}, { iss: ISSUER }))).toBe(true)
  for (const other of ['', 'a token', 'a.b.c', await key.sign({ iss: 'other' }), `${await key.sign()}.x`])
    expect(tokens.isOf(other)).toBe(false)
})
