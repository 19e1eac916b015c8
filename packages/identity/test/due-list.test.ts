import type { RedisClients } from '@saoma/redis'
import { onCleanup, until } from '@saoma/testing'
import { createDueList, createWorker } from '../src/due-list.ts'
import { openRedis } from './fixtures.ts'

let redis: RedisClients
beforeAll(async () => {
  redis = await openRedis()
})

/** More than a node works on at once, which is fifty. */
const MANY = 120
/** No look comes by itself while a test runs. */
const NEVER_MS = 3_600_000

test('a node that has more to work off than it does at once does not wait for its next look', async () => {
  const list = createDueList(redis, redis.keys.pingsDue(), 60_000)
  for (let i = 0; i < MANY; i++) await list.schedule(`ticket ${i}`, 0)
  let atOnce = 0
  let most = 0
  const done = new Set<string>()
  const work = async (id: string): Promise<void> => {
    most = Math.max(most, ++atOnce)
    done.add(id)
    await list.drop(id)
    atOnce--
  }
  const worker = createWorker(list, work, {
    lookMs: NEVER_MS,
    onError: (error) => {
      throw error
    },
  })
  onCleanup(worker.close)
  worker.look()
  await until(
    async () => done.size,
    (count) => count === MANY,
  )
  expect(most).toBe(50)
  await until(
    () => redis.data.zcard(redis.keys.pingsDue()),
    (left) => left === 0,
  )
})
