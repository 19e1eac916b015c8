import { onCleanup, startRedis, startRedisCluster, startRedisSentinel, until } from '@saoma/testing'
import type { Redis } from 'ioredis'
import { createRedis, type RedisClients, RedisUnavailable } from '../src/index.ts'

const serversOf = (data: RedisClients['data']): Redis[] => ('nodes' in data ? data.nodes('master') : [data])

const open = async (url: string, count: number, timeoutMs = 500): Promise<RedisClients> => {
  const redis = await createRedis({ url, replicas: { count, timeoutMs } })
  onCleanup(() => redis.close())
  return redis
}

// Many writes share one wait.
test('behind Sentinel a write counts only when its replicas have it', async () => {
  const { url, replicas } = await startRedisSentinel()
  const redis = await open(url, 2)
  await redis.data.config('RESETSTAT')
  await Promise.all(
    Array.from({ length: 200 }, async (_, i) => {
      const replicated = redis.writing(`key${i}`)
      await redis.data.set(`key${i}`, 'x', 'PX', 60_000)
      await replicated()
    }),
  )
  const [, waits] = /cmdstat_wait:calls=(\d+)/.exec(await redis.data.info('commandstats')) ?? []
  expect(Number(waits)).toBeGreaterThan(0)
  expect(Number(waits)).toBeLessThan(20)

  await replicas[0]?.kill('SIGSTOP')
  const alone = redis.writing('alone')
  await redis.data.set('alone', 'x', 'PX', 60_000)
  await expect(alone()).rejects.toThrow(new RedisUnavailable('1 of 2 replicas have the write'))
  // What is refused is refused: reading goes on.
  expect(await redis.data.get('alone')).toBe('x')
  await replicas[0]?.kill('SIGCONT')
  const again = redis.writing('again')
  await redis.data.set('again', 'x', 'PX', 60_000)
  await again()
})

test('a wait on a lost connection does not move to a new one, which never wrote', async () => {
  const { url, replicas } = await startRedisSentinel()
  const redis = await open(url, 2, 2_000)
  for (const replica of replicas) await replica.kill('SIGSTOP')
  const [lost, behind] = [redis.writing('lost'), redis.writing('behind')]
  await redis.data.set('lost', 'x', 'PX', 60_000)
  const waited = lost().catch((error: unknown) => error)
  const alsoWaited = (async () => {
    await redis.data.set('behind', 'x', 'PX', 60_000)
    return behind()
  })().catch((error: unknown) => error)
  const data = String(await redis.pub.call('CLIENT', 'LIST'))
    .split('\n')
    .find((line) => line.includes('name=saoma:data'))
  const [, id] = /\bid=(\d+)/.exec(data ?? '') ?? []
  await redis.pub.call('CLIENT', 'KILL', 'ID', `${id}`)
  expect(await waited).toBeInstanceOf(RedisUnavailable)
  expect(await alsoWaited).toBeInstanceOf(RedisUnavailable)
  for (const replica of replicas) await replica.kill('SIGCONT')
})

test('in a Redis Cluster the wait goes to the master of the key', async () => {
  const { url, replicas } = await startRedisCluster({ replicas: true })
  const redis = await open(url, 1)
  const names = Array.from({ length: 30 }, (_, i) => `key${i}`)
  const write = async (name: string) => {
    const replicated = redis.writing(name)
    await redis.data.set(name, 'x', 'PX', 60_000)
    return replicated().then(
      () => true,
      () => false,
    )
  }
  expect(await Promise.all(names.map(write))).toEqual(names.map(() => true))
  await replicas[0]?.kill('SIGSTOP')
  const afterwards = await Promise.all(names.map(write))
  await replicas[0]?.kill('SIGCONT')
  expect(new Set(afterwards)).toEqual(new Set([true, false]))
})

// Those replicas may not have the write.
test('a write before a takeover is not confirmed by the new master’s replicas', async () => {
  const cluster = await startRedisCluster({ replicas: true })
  const redis = await open(cluster.url, 1)
  const slot = Number(await redis.data.call('CLUSTER', 'KEYSLOT', 'key'))
  const write = () => redis.data.set('key', 'x', 'PX', 60_000)
  const replicated = redis.writing('key')
  await write()
  await cluster.failOver(await cluster.ownerOf(slot))
  // The first that is sent to the old master is told where the new one is.
  await until(
    () => write().catch(String),
    (answer) => answer === 'OK',
  )
  await expect(replicated()).rejects.toThrow('another master took over')
  await until(
    async () => {
      const again = redis.writing('key')
      await write()
      return again().then(() => 'OK', String)
    },
    (answer) => answer === 'OK',
  )
})

test('a write redirected while its slot moves waits for the replicas of its new master', async () => {
  const cluster = await startRedisCluster({ replicas: true })
  const redis = await open(cluster.url, 1)
  const slot = Number(await redis.data.call('CLUSTER', 'KEYSLOT', 'moving'))
  const from = await cluster.ownerOf(slot)
  const to = cluster.ports.findIndex((port) => port !== from)
  const masterAt = (port: number | undefined) => serversOf(redis.data).find(({ options }) => options.port === port)
  const [source, target] = [masterAt(from), masterAt(cluster.ports[to])]
  await target?.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', String(await source?.call('CLUSTER', 'MYID')))
  await source?.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', String(await target?.call('CLUSTER', 'MYID')))
  const write = async () => {
    const replicated = redis.writing('moving')
    await redis.data.set('moving', 'x', 'PX', 60_000)
    await replicated()
  }
  await write()
  await cluster.replicas[to]?.kill('SIGSTOP')
  await expect(write()).rejects.toThrow('0 of 1 replicas')
  await cluster.replicas[to]?.kill('SIGCONT')
})

test('a master that has become a replica has no replicas to confirm a write', async () => {
  const server = await startRedis()
  const redis = await createRedis({ url: server.url, probeMs: 0, replicas: { count: 1, timeoutMs: 500 } })
  onCleanup(() => redis.close())
  const replicated = redis.writing('key')
  await redis.data.call('REPLICAOF', '127.0.0.1', '1')
  await expect(replicated()).rejects.toMatchObject({
    name: 'RedisUnavailable',
    cause: expect.objectContaining({ message: expect.stringContaining('WAIT cannot be used') }),
  })
})
