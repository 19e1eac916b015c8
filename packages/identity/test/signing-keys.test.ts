import { createRedis, type RedisClients } from '@saoma/redis'
import { onCleanup, startRedis } from '@saoma/testing'
import { createSeal } from '../src/sealed.ts'
import { loadSigningKeys } from '../src/signing-keys.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const seal = createSeal(['a secret of at least thirty-two characters'])
let redis: RedisClients

beforeAll(async () => {
  const server = await startRedis()
  redis = await createRedis({ url: server.url })
  onCleanup(() => redis.close())
})
beforeEach(() => redis.data.del(redis.keys.signingKeys()))

const kids = (ring: readonly { kid?: string }[]) => ring.map(({ kid }) => kid)

test('ten nodes that start at once agree on one key', async () => {
  const rings = await Promise.all(Array.from({ length: 10 }, () => loadSigningKeys(redis, seal)))
  expect(new Set(rings.map((ring) => kids(ring).join())).size).toBe(1)
  expect(rings[0]).toHaveLength(1)
})

test('a successor is published before it signs, signs when every cache knows it, and the old key leaves only after its last token', async () => {
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

test('nodes that rotate at once make one successor', async () => {
  const start = Date.now()
  await loadSigningKeys(redis, seal, {}, start)
  const rings = await Promise.all(Array.from({ length: 10 }, () => loadSigningKeys(redis, seal, {}, start + 31 * DAY)))
  expect(new Set(rings.map((ring) => kids(ring).join())).size).toBe(1)
})

test('the keys lie encrypted in Redis, and a wrong secret is a sentence for the operator', async () => {
  const [key] = await loadSigningKeys(redis, seal)
  const stored = await redis.data.get(redis.keys.signingKeys())
  expect(key.d).toMatch(/^[A-Za-z0-9_-]{43}$/)
  expect(stored).not.toContain(key.d)
  const other = createSeal(['another secret of at least thirty-two characters'])
  await expect(loadSigningKeys(redis, other)).rejects.toThrow('SAOMA_SECRET does not open the signing keys')
})

test('a replaced secret still opens what the old one closed', async () => {
  const before = kids(await loadSigningKeys(redis, seal))
  const replaced = createSeal([
    'another secret of at least thirty-two characters',
    'a secret of at least thirty-two characters',
  ])
  expect(kids(await loadSigningKeys(redis, replaced))).toEqual(before)
})
