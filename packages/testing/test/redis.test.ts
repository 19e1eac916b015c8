import { type Connection, connect, whenReady } from '@saoma/redis'
import { onCleanup, startRedis, startRedisCluster, until } from '@saoma/testing'

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

test('two servers started at once share nothing', async () => {
  const [a, b] = await Promise.all([startRedis(), startRedis()])
  await (await open(a.url)).set('mine', 'a')
  expect(await (await open(b.url)).get('mine')).toBeNull()
})

test('a Redis that is paused and continued answers again', async () => {
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

test('slots of a cluster move with their keys; a master joins, and one leaves', async () => {
  const cluster = await startRedisCluster()
  const data = await open(cluster.url)
  const keys = Array.from({ length: 300 }, (_, i) => `{moved}-${i}`)
  await Promise.all(keys.map((key) => data.set(key, 'kept')))
  const kept = async () => {
    const answers = await Promise.allSettled(keys.map((key) => data.get(key)))
    return answers.every((answer) => answer.status === 'fulfilled' && answer.value === 'kept')
  }
  const slot = Number(await data.call('CLUSTER', 'KEYSLOT', '{moved}'))
  const first = await cluster.ownerOf(slot)
  const [second = 0, third = 0] = cluster.ports.filter((port) => port !== first)
  for (const to of [second, third, first]) {
    await cluster.moveSlots([slot], to)
    expect(await cluster.ownerOf(slot)).toBe(to)
    expect(await kept()).toBe(true)
  }

  const { port } = await cluster.addMaster()
  await cluster.moveSlots([slot], port)
  expect((await cluster.masters()).get(port)).toEqual([slot])
  await until(kept, (all) => all)
  await cluster.removeMaster(port)
  const masters = await cluster.masters()
  expect([...masters.keys()].sort()).toEqual([...cluster.ports].sort())
  expect([...masters.values()].flat()).toHaveLength(16_384)
  await until(kept, (all) => all)
})

test('a replica of a cluster takes over from its master and gives back', async () => {
  const cluster = await startRedisCluster({ replicas: true })
  const [master = 0] = cluster.ports
  const slots = (await cluster.masters()).get(master)
  const replica = await cluster.failOver(master)
  expect(replica).toBe(cluster.replicas[0]?.port)
  expect((await cluster.masters()).get(replica)).toEqual(slots)
  expect(await cluster.failOver(replica)).toBe(master)
})
