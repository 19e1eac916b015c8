import { onCleanup, startRedis } from '@saoma/testing'
import { createRedis, RedisUnavailable } from '../src/index.ts'

test('a Redis that does not answer is asked so many things and no more; what is above fails at once, and all goes on afterwards', async () => {
  const server = await startRedis()
  const redis = await createRedis({ url: server.url, mostWaiting: 100, probeMs: 0 })
  onCleanup(() => redis.close())
  await redis.data.set('key', 'value', 'PX', 60_000)

  await server.kill('SIGSTOP')
  let refused = 0
  const asked = Array.from({ length: 1_000 }, () =>
    redis.data.get('key').catch((error: unknown) => {
      if (error instanceof RedisUnavailable) refused++
      return 'refused'
    }),
  )
  // Those above the bound do not wait for anything.
  await Promise.all(asked.slice(100))
  expect(refused).toBe(900)
  await server.kill('SIGCONT')
  expect(await Promise.all(asked.slice(0, 100))).toEqual(Array.from({ length: 100 }, () => 'value'))
  expect(await redis.data.get('key')).toBe('value')

  // A transaction is whole or it is nothing.
  const many = redis.data.multi()
  for (let i = 0; i < 200; i++) many.incr('counter')
  expect(await many.exec()).toHaveLength(200)
  await redis.data.del('counter')
})
