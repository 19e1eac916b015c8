import { type Connection, connect, whenReady } from '@saoma/redis'
import { onCleanup, startRedis, startRedisCluster } from '@saoma/testing'

const open = async (url: string): Promise<Connection> => {
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

test('every master of a cluster sees all slots served', async () => {
  const cluster = await startRedisCluster()
  expect(cluster.nodes).toHaveLength(3)
  for (const node of cluster.nodes) {
    const info = String(await (await open(node.url)).call('CLUSTER', 'INFO'))
    expect(info).toContain('cluster_state:ok')
    expect(info).toContain('cluster_slots_ok:16384')
    expect(info).toContain('cluster_size:3')
  }
})
