import { connect, createRedis, whenReady } from '@saoma/redis'
import { onCleanup, startRedis, startRedisCluster } from '@saoma/testing'

const open = async (url: string) => {
  const connection = connect({ url, name: 'test', onError: () => {} })
  onCleanup(() => connection.disconnect())
  await whenReady(connection, 5_000)
  return connection
}

test('a Redis with an append-only file has its data after kill -9', async () => {
  const redis = await startRedis({ appendonly: true })
  await (await open(redis.url)).set('kept', 'yes')
  const { pid } = redis
  await redis.kill()
  await redis.restart()
  expect(redis.pid).not.toBe(pid)
  expect(await (await open(redis.url)).get('kept')).toBe('yes')
})

test('two servers started at once do not share anything', async () => {
  const [a, b] = await Promise.all([startRedis(), startRedis()])
  await (await open(a.url)).set('mine', 'a')
  expect(await (await open(b.url)).get('mine')).toBeNull()
})

test('a Redis that is stopped and continued answers again', async () => {
  const redis = await startRedis()
  const connection = await open(redis.url)
  await redis.kill('SIGSTOP')
  const answer = connection.ping()
  await redis.kill('SIGCONT')
  expect(await answer).toBe('PONG')
})

test('the cluster serves every slot and sharded messages', async () => {
  const cluster = await startRedisCluster()
  expect(cluster.ports).toHaveLength(3)
  const redis = await createRedis({ url: cluster.url })
  onCleanup(() => redis.close())
  const names = Array.from({ length: 64 }, (_, i) => `key:{${i}}`)
  await Promise.all(names.map((name) => redis.data.set(name, name)))
  expect(await Promise.all(names.map((name) => redis.data.get(name)))).toEqual(names)

  const heard = new Promise((resolve) => redis.subscriber.on('message', (channel) => resolve(channel)))
  await redis.subscriber.hold('channel:{1}')
  await redis.data.call('SPUBLISH', 'channel:{1}', 'hello')
  expect(await heard).toBe('channel:{1}')
})
