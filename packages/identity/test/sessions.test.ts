import type { RedisClients } from '@saoma/redis'
import { onCleanup } from '@saoma/testing'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { ACCESS_TOKEN_SECONDS } from '../src/clients.ts'
import { createGrants } from '../src/grants.ts'
import { recordKey } from '../src/records.ts'
import { createSessionEnds, type EndedSession } from '../src/session-ends.ts'
import { createSessionMarks } from '../src/session-marks.ts'
import { claimsToBeOf, createVerifier } from '../src/verify.ts'
import { openRedis } from './fixtures.ts'

let redis: RedisClients

beforeAll(async () => {
  redis = await openRedis()
})

const payload = (sub: string) => ({ kind: 'Grant', accountId: sub, clientId: 'web' })
const nobody = async () => {}
const grantsOf = (tell: Parameters<typeof createGrants>[2]) =>
  createGrants(redis, createSessionMarks(redis, 60_000), tell)

test('a session is live from its beginning to its end', async () => {
  const { adapter, hasSession } = grantsOf(nobody)
  expect(await hasSession('s1')).toBe(false)
  await adapter.upsert('s1', payload('anna'), 60)
  expect(await hasSession('s1')).toBe(true)
  expect(await hasSession('s2')).toBe(false)
  await adapter.destroy('s1')
  expect(await hasSession('s1')).toBe(false)
})

// It never lasts past its latest end.
test('a session ends with its access token unless a refresh token prolongs it', async () => {
  const { adapter, prolong, hasSession } = grantsOf(nobody)
  const ttl = () => redis.data.ttl(recordKey(redis.keys, 'Grant', 's6'))
  const now = Math.floor(Date.now() / 1000)
  await adapter.upsert('s6', { ...payload('anna'), exp: now + 10_000 }, 10_000)
  expect(await ttl()).toBeLessThanOrEqual(ACCESS_TOKEN_SECONDS + 60)
  await prolong('s6', 5_000, 'token-0')
  expect(await ttl()).toBeGreaterThan(4_900)
  await prolong('s6', 100, 'token-1')
  expect(await ttl()).toBeGreaterThan(4_900)
  await prolong('s6', 50_000, 'token-2')
  expect(await ttl()).toBeGreaterThan(9_900)
  expect(await ttl()).toBeLessThanOrEqual(10_000)
  await adapter.destroy('s6')
  await prolong('s6', 5_000, 'token-3')
  expect(await hasSession('s6')).toBe(false)
})

// It is announced even if its record is gone.
test('the end of a session is announced once, even if several callers end it at once', async () => {
  const told: (EndedSession & { live: boolean })[] = []
  const grants = grantsOf(async (session) => {
    told.push({ ...session, live: await grants.hasSession(session.sid) })
  })
  await grants.adapter.upsert('s3', payload('anna'), 60)
  await Promise.all(Array.from({ length: 20 }, () => grants.adapter.destroy('s3')))
  await grants.adapter.destroy('s3')
  expect(told).toEqual([{ sub: 'anna', sid: 's3', live: false }])
})

test('a session ends even when nobody can be told', async () => {
  const ends = createSessionEnds(() => Promise.reject(new Error('deaf')))
  onCleanup(() => ends.close())
  const grants = grantsOf(ends.tell)
  await grants.adapter.upsert('s4', payload('anna'), 60)
  await grants.adapter.destroy('s4')
  expect(await grants.hasSession('s4')).toBe(false)
})

const session = { sub: 'anna', sid: 's5' }

test('an announcement that failed is repeated', async () => {
  let tries = 0
  const told = new Promise<EndedSession>((resolve, reject) => {
    const ends = createSessionEnds(
      async (ended) => {
        tries += 1
        if (tries < 3) throw new Error('deaf')
        resolve(ended)
      },
      reject,
      1,
    )
    void ends.tell(session)
  })
  expect(await told).toEqual(session)
  expect(tries).toBe(3)
})

test('an announcement that fails for good is reported in the end', async () => {
  let tries = 0
  const failure = new Promise((resolve) => {
    const ends = createSessionEnds(() => Promise.reject(new Error(`deaf ${++tries}`)), resolve, 1)
    void ends.tell(session)
  })
  expect(await failure).toEqual(new Error('deaf 6'))
})

test('closing waits for no further tries and reports what was not announced', async () => {
  const reported = new Promise((resolve) => {
    const ends = createSessionEnds(() => Promise.reject(new Error('deaf')), resolve, 3_600_000)
    void ends.tell(session).then(() => ends.close())
  })
  expect(await reported).toEqual(new Error('deaf'))
})

test('a token gives its owner, and rubbish gives nothing', () => {
  const token = (claims: unknown) => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2lnbmF0dXJl`
  const issuer = 'https://login.example.com/oidc'
  expect(claimsToBeOf(issuer, token({ iss: issuer }))).toBe(true)
  for (const other of [token({ iss: 'https://shop.example.com' }), token({}), token([issuer]), 'a.b.c', issuer, ''])
    expect([other, claimsToBeOf(issuer, other)]).toEqual([other, false])
})

test('an expired token is refused from its last second, and an altered one always', async () => {
  const { privateKey, publicKey } = await generateKeyPair('ES256')
  const [issuer, audience] = ['https://login.example.com/oidc', 'https://login.example.com']
  const exp = 2_000_000_000
  let seconds = exp - 60
  const verify = createVerifier([await exportJWK(publicKey)], issuer, [audience], () => new Date(seconds * 1000))
  const token = async (key: CryptoKey) =>
    new SignJWT({ client_id: 'phone', iss: issuer, aud: audience, sub: 'anna', exp })
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt' })
      .sign(key)
  const good = await token(privateKey)
  const forged = await token((await generateKeyPair('ES256')).privateKey)
  for (const after of [0, 59]) {
    seconds = exp - 60 + after
    expect(await verify(good)).toMatchObject({ ok: true, value: { sub: 'anna', exp } })
    expect(await verify(forged)).toEqual({ ok: false, code: 'UNAUTHORIZED' })
  }
  seconds = exp
  expect(await verify(good)).toEqual({ ok: false, code: 'TOKEN_EXPIRED' })
})

test('the rooms in a token are the rooms of its bearer', async () => {
  const { privateKey, publicKey } = await generateKeyPair('ES256')
  const [issuer, audience] = ['https://login.example.com/oidc', 'https://login.example.com']
  const verify = createVerifier([await exportJWK(publicKey)], issuer, [audience])
  const token = (claims: Record<string, unknown>) =>
    new SignJWT({ client_id: 'web', ...claims })
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt' })
      .setIssuer(issuer)
      .setAudience(audience)
      .setSubject('anna')
      .setExpirationTime('1 minute')
      .sign(privateKey)
  expect(await verify(await token({ rooms: ['table-7'] }))).toMatchObject({ ok: true, value: { rooms: ['table-7'] } })
  const without = await verify(await token({ sid: 's1' }))
  expect(without).toMatchObject({ ok: true, value: { sub: 'anna', sid: 's1' } })
  expect(without.ok && without.value.rooms).toBeUndefined()
  expect(await verify(await token({ rooms: 'all' }))).toEqual({ ok: false, code: 'UNAUTHORIZED' })
})
