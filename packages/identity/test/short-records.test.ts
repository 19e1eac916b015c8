import type { RedisClients } from '@saoma/redis'
import { createGrants } from '../src/grants.ts'
import type { AdapterPayload } from '../src/oidc-provider.ts'
import { inJson, type RecordForm } from '../src/record-form.ts'
import { createRecords, recordKey } from '../src/records.ts'
import { loadToken } from '../src/scripts.ts'
import type { EndedSession } from '../src/session-ends.ts'
import { createSessionMarks } from '../src/session-marks.ts'
import { shortForms } from '../src/short-form.ts'
import { openRedis } from './fixtures.ts'

const origin = 'https://login.example.com'
const scope = 'openid profile offline_access'
const sid = '3pYQk0m2Tq2m0wJ8rV9aXg'
const sub = 'k3v0m2Tq2m0wJ8rV9aXgQw'
const forms = shortForms(origin, () => true)
const DAY = 86_400

let redis: RedisClients
let told: EndedSession[]

beforeAll(async () => {
  redis = await openRedis()
})
beforeEach(async () => {
  told = []
  await redis.data.flushall()
})

const now = () => Math.floor(Date.now() / 1000)
const grantsIn = (form: RecordForm) =>
  createGrants(redis, createSessionMarks(redis, 60_000), async (ended) => void told.push(ended), form)
const granted = (): AdapterPayload => ({
  ...{ iat: now(), exp: now() + 90 * DAY, accountId: sub, clientId: 'web' },
  ...{ resources: { [origin]: scope }, openid: { scope }, kind: 'Grant' },
})
const issued = (): AdapterPayload => ({
  ...{ iat: now(), exp: now() + 14 * DAY, iiat: now(), authTime: now() - 9, rotations: 0, scope },
  ...{ accountId: sub, clientId: 'web', grantId: sid, sid, gty: 'device_code', resource: origin },
  ...{ acr: 'urn:saoma:acr:tap', amr: ['mca', 'user'] },
  kind: 'RefreshToken',
})
const grantKey = () => recordKey(redis.keys, 'Grant', sid)

const ways: [stored: string, before: RecordForm, after: RecordForm][] = [
  ['in short form', forms.grant, forms.grant],
  // As a session of former times.
  ['in JSON', inJson, forms.grant],
]
test.each(ways)('a session stored %s is found, prolonged and ended', async (_stored, before, after) => {
  const payload = granted()
  await grantsIn(before).adapter.upsert(sid, payload, 90 * DAY)
  const grants = grantsIn(after)
  const { iat: _, ...lasting } = payload
  expect(await grants.adapter.find(sid)).toMatchObject({ ...lasting, jti: sid })
  expect(await grants.prolong(sid, 14 * DAY, 'the name of its first token')).toEqual({ isThere: true })
  expect(await redis.data.ttl(grantKey())).toBeGreaterThan(13 * DAY)
  // Never past its latest end.
  await grants.prolong(sid, 200 * DAY, 'the name of its next token')
  expect(await redis.data.ttl(grantKey())).toBeLessThanOrEqual(90 * DAY)
  await grants.adapter.destroy(sid)
  await grants.adapter.destroy(sid)
  expect(await grants.hasSession(sid)).toBe(false)
  expect(told).toEqual([{ sub, sid }])
})

test('a login that was tried by an old and by a new node is one session', async () => {
  const payload = granted()
  await grantsIn(inJson).adapter.upsert(sid, payload, 90 * DAY)
  await grantsIn(forms.grant).adapter.upsert(sid, payload, 90 * DAY)
  for (const form of [inJson, forms.grant])
    expect(await grantsIn(form).adapter.find(sid)).toMatchObject({ accountId: sub })
})

test('a used refresh token in short form says when it was used, and what it was', async () => {
  const records = createRecords(redis, 'RefreshToken', forms.refreshToken)
  const payload = issued()
  await records.upsert('a-token', payload, 14 * DAY)
  const key = recordKey(redis.keys, 'RefreshToken', 'a-token')
  expect(await records.find('a-token')).toEqual({ ...payload, jti: 'a-token' })
  expect(await loadToken(redis.data, [key], [])).toMatchObject({ mayRepeat: false })
  await redis.data.hset(key, 'salt', 'a-salt')
  await records.consume('a-token')
  const used = await loadToken(redis.data, [key], [])
  expect(used).toMatchObject({ mayRepeat: true, usedSecondsAgo: expect.any(Number) })
  expect(used && forms.refreshToken.read(used.fields)).toEqual(payload)
  expect(await redis.data.hkeys(key)).not.toContain('payload')
})

test('a lasting session is two small blocks in Redis', async () => {
  const grants = grantsIn(forms.grant)
  const token = `${sid}${'t'.repeat(43)}`
  await grants.adapter.upsert(sid, granted(), 90 * DAY)
  await grants.prolong(sid, 14 * DAY, 'n'.repeat(43))
  await createRecords(redis, 'RefreshToken', forms.refreshToken).upsert(token, issued(), 14 * DAY)
  const keys = [grantKey(), recordKey(redis.keys, 'RefreshToken', token)]
  const bytes = await Promise.all(keys.map(async (key) => Number(await redis.data.call('MEMORY', 'USAGE', key))))
  for (const key of keys) expect(await redis.data.call('OBJECT', 'ENCODING', key)).toBe('listpack')
  // With the entry in the list of sessions, 0.9 KB.
  expect(bytes.reduce((sum, of) => sum + of, 0)).toBeLessThanOrEqual(540)
})
