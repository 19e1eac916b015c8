import type { RedisClients } from '@saoma/redis'
import { createKnownBrowsers } from '../src/known-browsers.ts'
import { openRedis } from './fixtures.ts'

let redis: RedisClients
beforeAll(async () => {
  redis = await openRedis()
})

const place = { browser: 'Chrome', os: 'Windows', ip: '192.0.2.7', sid: 'a session' }

test('the twenty browsers that were used last are known, and nothing is kept of others', async () => {
  const browsers = createKnownBrowsers(redis)
  const at = redis.keys.browsers('anna')
  const long = '2025-01-01T00:00:00.000Z'
  await redis.data.hset(at, 'forgotten', JSON.stringify({ ...place, since: long, last: long }))
  await redis.data.hset(at, 'unreadable', '{}')
  for (let i = 0; i < 21; i++) await browsers.remember('anna', `browser ${i}`, place)
  const known = (await browsers.list('anna')).map(({ id }) => id)
  expect(known).toHaveLength(20)
  expect(known).toContain('browser 20')
  expect((await redis.data.hkeys(at)).sort()).toEqual([...known].sort())
})
