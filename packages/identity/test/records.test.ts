import type { RedisClients } from '@saoma/redis'
import { createRecords } from '../src/records.ts'
import { openRedis } from './fixtures.ts'

let redis: RedisClients

beforeAll(async () => {
  redis = await openRedis()
})

test('a record is used up once, even by simultaneous callers', async () => {
  const records = createRecords(redis, 'AuthorizationCode')
  await records.upsert('a-code', { jti: 'a-code', kind: 'AuthorizationCode' }, 60)
  const tries = await Promise.allSettled(Array.from({ length: 50 }, () => records.consume('a-code')))
  expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  expect(await records.find('a-code')).toMatchObject({ jti: 'a-code', consumed: expect.any(Number) })
})

test('using up a missing record creates none', async () => {
  const records = createRecords(redis, 'AuthorizationCode')
  await expect(records.consume('never-issued')).rejects.toThrow('invalid_grant')
  expect(await records.find('never-issued')).toBeUndefined()
})

test('a token appears neither in the keys nor in the values', async () => {
  const records = createRecords(redis, 'AuthorizationCode')
  await records.upsert('secret-token', { jti: 'secret-token', kind: 'AuthorizationCode', accountId: 'somebody' }, 60)
  const keys = await redis.data.keys('*AuthorizationCode*')
  const values = await Promise.all(keys.map((key) => redis.data.hgetall(key)))
  expect(JSON.stringify([keys, values])).not.toContain('secret-token')
})

test('every record has a lifetime', async () => {
  const records = createRecords(redis, 'Grant')
  await expect(records.upsert('grant', { jti: 'grant' })).rejects.toThrow('no lifetime')
  await records.upsert('grant', { jti: 'grant' }, 60)
  const [key = ''] = await redis.data.keys('*Grant*')
  expect(await redis.data.ttl(key)).toBeGreaterThan(0)
})
