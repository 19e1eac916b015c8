import { onCleanup, startRedis, until } from '@saoma/testing'
import { createRedis, RedisUnavailable } from '../src/index.ts'

// Afterwards commands work again.
test('commands to a silent Redis are limited, and the surplus fails at once', async () => {
  const server = await startRedis()
  const redis = await createRedis({ url: server.url, mostWaiting: 100, probeMs: 0 })
  onCleanup(() => redis.close())
  await redis.data.set('key', 'value', 'PX', 60_000)

  await server.kill('SIGSTOP')
  const refused: string[] = []
  const asked = Array.from({ length: 1_000 }, () =>
    redis.data.get('key').catch((error: unknown) => {
      if (error instanceof RedisUnavailable) refused.push(error.message)
      return 'refused'
    }),
  )
  // Those above the bound do not wait for anything.
  await Promise.all(asked.slice(100))
  const tooMany = '100 commands wait for Redis already'
  expect(refused).toEqual(Array.from({ length: 900 }, () => tooMany))
  await server.kill('SIGCONT')
  // The others have their reply, or waited for it in vain as long as a command may on a machine that is busy;
  // none is forgotten.
  await Promise.all(asked)
  expect(refused.filter((why) => why === tooMany)).toHaveLength(900)
  await until(
    () => redis.data.get('key').catch(() => undefined),
    (value) => value === 'value',
  )

  // A transaction is whole or it is nothing.
  const many = redis.data.multi()
  for (let i = 0; i < 200; i++) many.incr('counter')
  expect(await many.exec()).toHaveLength(200)
  await redis.data.del('counter')
})
