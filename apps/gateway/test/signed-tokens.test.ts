import { createHmac, generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, onCleanup } from '@saoma/testing'
import { exportJWK } from 'jose'
import { type SignatureAlgorithm, signatureAlgorithms } from '../src/access/key-set.ts'
import type { KeySource } from '../src/access/key-source.ts'
import { createSignedTokens, type SignedTokenRules } from '../src/access/signed-tokens.ts'
import { createLog } from '../src/operate/log.ts'
import { type BusinessServer, json, startBusinessServer } from './business-server.ts'
import { createClock } from './clock.ts'
import { upTo } from './fixtures.ts'
import { AUDIENCE, createJwtSigner, ISSUER, inSeconds, type JwtSigner } from './jwt-signer.ts'

const HOME = '203.0.113.7'
const unauthorized = { ok: false, code: 'UNAUTHORIZED' }
const unavailable = { ok: false, code: 'BACKEND_UNAVAILABLE' }
const DAY = 86_400

let key: JwtSigner
let next: JwtSigner
beforeAll(async () => {
  key = await createJwtSigner('first')
  next = await createJwtSigner('second')
})

const publishing = (...signers: JwtSigner[]) => json({ keys: signers.map(({ jwk }) => jwk) })

const open = (source: KeySource, rules: Partial<SignedTokenRules> = {}) => {
  const clock = createClock()
  const zero = clock.now()
  const from = Date.now()
  const lines: Record<string, unknown>[] = []
  const log = createLog({ level: 'info', node: 'test' }, { write: (line) => void lines.push(JSON.parse(line)) })
  const tokens = createSignedTokens(
    source,
    {
      issuer: ISSUER,
      audiences: [AUDIENCE],
      claims: { uid: 'sub', rooms: 'rooms', sid: 'sid' },
      algorithms: signatureAlgorithms,
      ...rules,
    },
    log,
    { now: clock.now, date: () => from + clock.now() - zero },
  )
  onCleanup(tokens.close)
  const resolve = (token: string, lastEnd?: string) => tokens.resolve(token, HOME, lastEnd)
  return { tokens, resolve, clock, lines, refusals: () => lines.filter(({ level }) => level === 'warn') }
}

const serve = async (answer: BusinessServer['answer'] = publishing(key), rules?: Partial<SignedTokenRules>) => {
  const server = await startBusinessServer(answer)
  return { server, ...open({ url: server.url }, rules) }
}

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

test('a new key is fetched when a token names it, and a key that is gone lets nobody in', async () => {
  const { server, resolve, clock } = await serve()
  const [before, after] = [await key.sign(), await next.sign()]
  expect(await resolve(before)).toMatchObject({ ok: true })
  server.answer = publishing(key, next)
  clock.pass(2_000)
  const all = await Promise.all(upTo(30).map((i) => (i % 2 ? resolve(after) : resolve(before))))
  expect(new Set(all.map(({ ok }) => ok))).toEqual(new Set([true]))
  expect(server.questions).toHaveLength(2)

  server.answer = publishing(next)
  clock.pass(60_000)
  // A stranger's token makes the node look.
  await resolve(await next.sign({}, { kid: 'strange' }))
  expect(server.questions).toHaveLength(3)
  // It was remembered as good.
  expect(await resolve(before)).toEqual(unauthorized)
  expect(await resolve(after)).toMatchObject({ ok: true })
})

test('unknown keys make a node look again and again more rarely, and nobody is refused wrongly meanwhile', async () => {
  const { server, resolve, clock } = await serve()
  expect(await resolve(await key.sign())).toMatchObject({ ok: true })
  const strange = (i: number) => key.sign({ iat: inSeconds(300), exp: inSeconds(900) }, { kid: `strange ${i}` })
  const fetches = async (): Promise<number> => {
    const before = server.questions.length
    await Promise.all(upTo(40).map(async (i) => resolve(await strange(i))))
    return server.questions.length - before
  }
  const pauses = [2_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]
  // The first read was good and new: two seconds later there may be another.
  for (const pause of pauses) {
    clock.pass(pause - 1)
    expect([pause, await fetches()]).toEqual([pause, 0])
    clock.pass(1)
    expect([pause, await fetches()]).toEqual([pause, 1])
  }
  // In the pause nobody knows whether a key has been published since. An older token has none of those.
  clock.pass(1)
  expect(await resolve(await next.sign({ iat: inSeconds(300) }))).toEqual(unavailable)
  expect(await resolve(await next.sign({ iat: inSeconds(-60) }))).toEqual(unauthorized)

  server.answer = publishing(key, next)
  clock.pass(30_000)
  expect(await resolve(await next.sign())).toMatchObject({ ok: true })
  clock.pass(2_000)
  expect(await fetches()).toBe(1)
})

test('while the keys cannot be fetched, known ones stay in use, and tokens of others have to wait', async () => {
  const { server, resolve, clock, refusals } = await serve()
  const [known, unknown] = [await key.sign(), await next.sign()]
  expect(await resolve(known)).toMatchObject({ ok: true })
  server.answer = (res) => res.destroy()
  clock.pass(60_000)
  expect(await resolve(unknown)).toEqual(unavailable)
  expect(await resolve(unknown)).toEqual(unavailable)
  expect(await resolve(known)).toMatchObject({ ok: true })
  expect(await resolve(await key.sign({ sub: 'bert' }))).toMatchObject({ ok: true })
  expect(server.questions).toHaveLength(2)
  expect(refusals()).toEqual([
    expect.objectContaining({
      reason: expect.stringMatching(/^it cannot be read \(\w+\)$/),
      known: 1,
      msg: 'the keys of the business cannot be read: those that are known stay in use',
    }),
  ])
  server.answer = publishing(key, next)
  clock.pass(2_000)
  expect(await resolve(unknown)).toMatchObject({ ok: true })
})

test('without any key nobody is let in or turned away, and the keys are fetched again by themselves', async () => {
  const server = await startBusinessServer(json({}, 503))
  const { resolve } = open({ url: server.url })
  expect(await resolve(await key.sign())).toEqual(unavailable)
  // A token that is wrong in itself is no question of keys.
  expect(await resolve(await key.sign({ iss: 'other' }))).toEqual(unauthorized)
  server.answer = publishing(key)
  await server.asked()
  // The second read has begun. It ends before this one does, which shares it.
  let answer = await resolve(await key.sign())
  while (!answer.ok) answer = await resolve(await key.sign())
  expect(answer).toMatchObject({ value: { user: 'anna' } })
  expect(await open({ url: `http://127.0.0.1:${await freePort()}/` }).resolve(await key.sign())).toEqual(unavailable)
})

const weakKey = async () => exportJWK(generateKeyPairSync('rsa', { modulusLength: 1_024 }).publicKey)

test.each<[what: string, answer: BusinessServer['answer'] | (() => Promise<object>), reason: RegExp]>([
  ['a page', (res: ServerResponse) => res.end('<h1>Welcome</h1>'), /^it is no JWKS/],
  ['no list', json({ keys: {} }), /^it is no JWKS/],
  ['a list of texts', json({ keys: ['a'] }), /^it is no JWKS/],
  ['an empty list', json({ keys: [] }), /^none of its 0 keys is a public key for ES256, /],
  ['more than 256 KB', json({ keys: [], padding: 'x'.repeat(300_000) }), /^it has more than 256 KB$/],
  ['too many keys', json({ keys: upTo(51).map(() => ({ kty: 'EC' })) }), /^it has more than 50 keys$/],
  ['a shared secret', json({ keys: [{ kty: 'oct', k: 'AAAA', kid: 'first' }] }), /^none of its 1 keys/],
  ['keys that are none', json({ keys: [{ kty: 'EC', crv: 'P-256', x: 'A', y: 'B' }, {}] }), /^none of its 2 keys/],
  ['another status', json({ keys: [] }, 404), /^it answers with status 404$/],
  ['a redirect', (res: ServerResponse) => res.writeHead(302, { location: '/elsewhere' }).end(), /status 302$/],
  ['a weak key', async () => ({ keys: [{ ...(await weakKey()), kid: 'first' }] }), /^none of its 1 keys/],
])('nobody is let in or turned away by keys that are %s', async (_, answer, reason) => {
  const given =
    answer.length > 0 ? (answer as BusinessServer['answer']) : json(await (answer as () => Promise<object>)())
  const { resolve, refusals } = await serve(given)
  expect(await resolve(await key.sign())).toEqual(unavailable)
  expect(refusals()).toEqual([expect.objectContaining({ reason: expect.stringMatching(reason), known: 0 })])
})

test('keys that cannot verify do not hinder the others', async () => {
  const forEncryption = { ...next.jwk, use: 'enc' }
  const { resolve, lines } = await serve(json({ keys: [forEncryption, { kty: 'new' }, key.jwk] }))
  expect(await resolve(await key.sign())).toMatchObject({ ok: true })
  expect(lines).toEqual([expect.objectContaining({ level: 'info', keys: 1, unused: 2 })])
})

test('a key that is nested beyond what can be copied ends nothing', async () => {
  const deep = `{"kty":"EC","x":${'['.repeat(60_000)}${']'.repeat(60_000)}}`
  const { resolve, lines } = await serve((res) => res.end(`{"keys":[${deep},${JSON.stringify(key.jwk)}]}`))
  expect(await resolve(await key.sign())).toMatchObject({ ok: true })
  expect(lines).toEqual([expect.objectContaining({ keys: 1, unused: 1 })])
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

test('keys may be in a file, which is read again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'saoma-keys-'))
  onCleanup(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'jwks.json')
  const write = (...signers: JwtSigner[]) => {
    writeFileSync(`${file}.new`, JSON.stringify({ keys: signers.map(({ jwk }) => jwk) }))
    renameSync(`${file}.new`, file)
  }
  write(key)
  const { resolve, clock } = open({ file })
  expect(await resolve(await key.sign())).toMatchObject({ ok: true })
  write(key, next)
  clock.pass(2_000)
  expect(await resolve(await next.sign())).toMatchObject({ ok: true })
  rmSync(file)
  clock.pass(60_000)
  expect(await resolve(await key.sign({}, { kid: 'third' }))).toEqual(unavailable)
  expect(await resolve(await next.sign())).toMatchObject({ ok: true })
  expect(await open({ file }).resolve(await key.sign())).toEqual(unavailable)
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
