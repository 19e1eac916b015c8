import { onCleanup, startRedis, startRedisCluster } from '@saoma/testing'
import { Cluster } from 'ioredis'
import { assertSuitable, createRedis, problemsOf, RedisUnsuitable } from '../src/index.ts'

const look = async (url: string): Promise<string[]> => {
  const redis = await createRedis({ url, probeMs: 0 })
  onCleanup(() => redis.close())
  return assertSuitable(redis)
}

const lookAt = async (...args: string[]) => look((await startRedis({ args })).url)

test('a Redis as it is installed will do, and one that stops taking writes when it is full', async () => {
  expect(await lookAt()).toEqual([])
  expect(await lookAt('--maxmemory', '64mb', '--maxmemory-policy', 'noeviction')).toEqual([])
  expect(await lookAt('--maxmemory-policy', 'allkeys-lru')).toEqual([])
})

test('one that throws data away will not', async () => {
  await expect(lookAt('--maxmemory', '64mb', '--maxmemory-policy', 'volatile-ttl')).rejects.toThrow(
    /^Redis at 127\.0\.0\.1:\d+ throws data away .*\(maxmemory-policy volatile-ttl\).*: set noeviction\.$/,
  )
})

test('nor one without sharded pub/sub, or whose user may not use our channels', async () => {
  await expect(lookAt('--rename-command', 'SPUBLISH', '')).rejects.toThrow(/^Redis has no sharded pub\/sub/)
  const server = await startRedis({ args: ['--user', 'saoma', 'on', '>pw', '~*', '+@all', 'resetchannels', '&other*'] })
  await expect(look(`redis://saoma:pw@127.0.0.1:${server.port}`)).rejects.toThrow(/give it the channels saoma\*/)
})

test('what the user may not ask is said, and no reason to refuse', async () => {
  const server = await startRedis({ args: ['--user', 'saoma', 'on', '>pw', '~*', '&*', '+@all', '-info'] })
  expect(await look(`redis://saoma:pw@127.0.0.1:${server.port}`)).toEqual([
    expect.stringMatching(/^Redis at 127\.0\.0\.1:\d+ does not say its version and eviction policy \(NOPERM/),
  ])
})

test('in a Redis Cluster every master is looked at', async () => {
  const { url } = await startRedisCluster()
  const redis = await createRedis({ url, probeMs: 0 })
  onCleanup(() => redis.close())
  if (!(redis.data instanceof Cluster)) throw new Error('this is no cluster')
  const [, ...others] = redis.data.nodes('master')
  expect(await assertSuitable(redis)).toEqual([])
  for (const master of others) {
    await master.config('SET', 'maxmemory', '64mb')
    await master.config('SET', 'maxmemory-policy', 'allkeys-lfu')
  }
  const refusal = await assertSuitable(redis).catch((error: unknown) => error)
  expect(refusal).toBeInstanceOf(RedisUnsuitable)
  expect((refusal as RedisUnsuitable).problems).toHaveLength(others.length)
})

test.each([
  ['6.2.14', 1],
  ['7.0.0', 0],
  ['7.2.4', 0],
  ['8.2.1', 0],
  ['10.0.0', 0],
])('Redis %s has %s problems', (version, problems) => {
  const info = `# Server\r\nredis_version:${version}\r\n# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n`
  expect(problemsOf(info, 'here')).toHaveLength(problems)
})
