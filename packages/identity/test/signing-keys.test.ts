import type { RedisClients } from '@saoma/redis'
import { createKeySeal, type KeySeal } from '../src/key-seal.ts'
import { createSigningKeys, type SigningKeyTimes } from '../src/signing-keys.ts'
import { openRedis } from './fixtures.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const seal = createKeySeal(['a secret of at least thirty-two characters'])
let redis: RedisClients

beforeAll(async () => {
  redis = await openRedis()
})
beforeEach(() => redis.data.flushall())

/** As a node that has just started. */
const loadSigningKeys = (from: RedisClients, opener: KeySeal, times: Partial<SigningKeyTimes> = {}, now = Date.now()) =>
  createSigningKeys(from, opener, times).load(now)
const kids = (ring: readonly { kid?: string }[]) => ring.map(({ kid }) => kid)

test('ten nodes that start at once agree on one key', async () => {
  const rings = await Promise.all(Array.from({ length: 10 }, () => loadSigningKeys(redis, seal)))
  expect(new Set(rings.map((ring) => kids(ring).join())).size).toBe(1)
  expect(rings[0]).toHaveLength(1)
})

// The new key signs once every cache knows it.
test('a new key is published before it signs, and the old one stays until its last token', async () => {
  const start = Date.now()
  const [first] = kids(await loadSigningKeys(redis, seal, {}, start))

  const announced = kids(await loadSigningKeys(redis, seal, {}, start + 31 * DAY))
  expect(announced).toHaveLength(2)
  expect(announced[0]).toBe(first)

  const switched = kids(await loadSigningKeys(redis, seal, {}, start + 31 * DAY + HOUR))
  expect(switched).toEqual([announced[1], first])

  const retired = kids(await loadSigningKeys(redis, seal, {}, start + 31 * DAY + 4 * HOUR))
  expect(retired).toEqual([announced[1]])
})

test('the keys of RS256 are apart from those of ES256, and rotate with the same overlap', async () => {
  const start = Date.now()
  const [ec] = await loadSigningKeys(redis, seal, {}, start)
  const load = (now: number) => createSigningKeys(redis, seal, {}, 'RS256').load(now)
  const [rsa] = await load(start)
  expect([ec.alg, rsa.alg]).toEqual(['ES256', 'RS256'])
  const announced = kids(await load(start + 31 * DAY))
  expect(announced).toEqual([rsa.kid, expect.any(String)])
  expect(kids(await load(start + 31 * DAY + HOUR))).toEqual([announced[1], rsa.kid])
  expect(kids(await loadSigningKeys(redis, seal, {}, start))).toEqual([ec.kid])
})

test('nodes that rotate at once make one new key', async () => {
  const start = Date.now()
  await loadSigningKeys(redis, seal, {}, start)
  const rings = await Promise.all(Array.from({ length: 10 }, () => loadSigningKeys(redis, seal, {}, start + 31 * DAY)))
  expect(new Set(rings.map((ring) => kids(ring).join())).size).toBe(1)
})

test('the keys are encrypted in Redis, and a wrong secret gives a message for the operator', async () => {
  const [key] = await loadSigningKeys(redis, seal)
  const stored = await redis.data.get(redis.keys.signingKeys())
  expect(key.d).toMatch(/^[A-Za-z0-9_-]{43}$/)
  expect(stored).not.toContain(key.d)
  const other = createKeySeal(['another secret of at least thirty-two characters'])
  await expect(loadSigningKeys(redis, other)).rejects.toThrow('SAOMA_SECRET does not open the signing keys')
})

test('keys encrypted under a replaced secret are still readable', async () => {
  const before = kids(await loadSigningKeys(redis, seal))
  const replaced = createKeySeal([
    'another secret of at least thirty-two characters',
    'a secret of at least thirty-two characters',
  ])
  expect(kids(await loadSigningKeys(redis, replaced))).toEqual(before)
})

// A node that started meanwhile adds its own.
test('a node that holds the keys restores them to an empty Redis', async () => {
  const [running, other] = [createSigningKeys(redis, seal), createSigningKeys(redis, seal)]
  const before = kids(await running.load())
  expect(kids(await other.load())).toEqual(before)
  await redis.data.flushall()
  const rings = await Promise.all([running.load(), other.load()])
  for (const ring of rings) expect(kids(ring)).toEqual(before)

  await redis.data.flushall()
  const [fresh] = kids(await loadSigningKeys(redis, seal))
  expect(before).not.toContain(fresh)
  // The newest signs, and what the others have signed stays good.
  for (const node of [running, other, createSigningKeys(redis, seal)])
    expect(kids(await node.load())).toEqual([fresh, ...before])
})

test('a Redis restored from an older copy gets the newer keys again', async () => {
  const start = Date.now()
  const running = createSigningKeys(redis, seal)
  await running.load(start)
  const older = [await redis.data.get(redis.keys.signingKeys()), await redis.data.get(redis.keys.signingKeysKnown())]
  const later = start + 31 * DAY + HOUR
  await running.load(start + 31 * DAY)
  const rotated = kids(await running.load(later))
  await redis.data.mset(redis.keys.signingKeys(), older[0] ?? '', redis.keys.signingKeysKnown(), older[1] ?? '')
  expect(kids(await running.load(later))).toEqual(rotated)
  expect(kids(await loadSigningKeys(redis, seal, {}, later))).toEqual(rotated)
})

// No node brings them back, nor does an older copy of Redis while nodes run.
test('keys deleted by an operator stay deleted', async () => {
  const [running, other] = [createSigningKeys(redis, seal), createSigningKeys(redis, seal)]
  const [leaked] = kids(await running.load())
  await other.load()
  const older = [await redis.data.get(redis.keys.signingKeys()), await redis.data.get(redis.keys.signingKeysKnown())]
  await redis.data.unlink(redis.keys.signingKeys())
  const [next] = kids(await running.load())
  expect(next).not.toBe(leaked)
  for (const node of [other, running, createSigningKeys(redis, seal)]) expect(kids(await node.load())).toEqual([next])

  await redis.data.mset(redis.keys.signingKeys(), older[0] ?? '', redis.keys.signingKeysKnown(), older[1] ?? '')
  expect(kids(await other.load())).toEqual([next])
  await redis.data.flushall()
  expect(kids(await running.load())).toEqual([next])
})

test('deleted keys stay deleted when a node of the former version makes the next one', async () => {
  const running = createSigningKeys(redis, seal)
  const [leaked] = kids(await running.load())
  const known = (await redis.data.get(redis.keys.signingKeysKnown())) ?? ''
  await redis.data.unlink(redis.keys.signingKeys(), redis.keys.signingKeysKnown())
  const [next] = kids(await loadSigningKeys(redis, seal))
  await redis.data.set(redis.keys.signingKeysKnown(), known)
  expect(next).not.toBe(leaked)
  for (const node of [running, createSigningKeys(redis, seal)]) expect(kids(await node.load())).toEqual([next])
})

test('keys written by a node of the former version are adopted', async () => {
  const before = kids(await loadSigningKeys(redis, seal))
  await redis.data.unlink(redis.keys.signingKeysKnown())
  expect(kids(await loadSigningKeys(redis, seal))).toEqual(before)
  expect(JSON.parse((await redis.data.get(redis.keys.signingKeysKnown())) ?? '')).toEqual({ kids: before, revoked: [] })
})

test('a node that cannot decrypt the keys writes nothing, and they stay as they are', async () => {
  const running = createSigningKeys(redis, seal)
  await running.load()
  await redis.data.flushall()
  const foreign = createKeySeal(['another secret of at least thirty-two characters'])
  await loadSigningKeys(redis, foreign)
  const stored = await redis.data.get(redis.keys.signingKeys())
  await expect(running.load()).rejects.toThrow('SAOMA_SECRET does not open the signing keys')
  expect(await redis.data.get(redis.keys.signingKeys())).toBe(stored)
})
