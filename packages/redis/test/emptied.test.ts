import { onCleanup, startRedis, startRedisCluster } from '@saoma/testing'
import calculateSlot from 'cluster-key-slot'
import { createBeat, MARK_MS } from '../src/beat.ts'
import { connect, createKeys, createRedis, whenReady } from '../src/index.ts'

const BEAT_MS = 50

const operatorAt = async (url: string) => {
  const operator = connect({ url, name: 'operator', onError: () => {} })
  onCleanup(() => operator.disconnect())
  await whenReady(operator, 5_000)
  return operator
}

/** A node that tells of each loss. */
const openNode = async (url: string) => {
  let losses = 0
  let wake = () => {}
  const redis = await createRedis({
    url,
    probeMs: BEAT_MS,
    onEmptied: () => {
      losses++
      wake()
    },
  })
  onCleanup(() => redis.close())
  /** Resolves when so many were told. */
  const told = async (count: number): Promise<number> => {
    while (losses < count)
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    return losses
  }
  /** Resolves when each shard has been marked `shards` times over. */
  const marked = async (shards: number): Promise<void> => {
    for (let seen = 0; seen < shards; ) {
      const masters = 'nodes' in redis.data ? redis.data.nodes('master') : [redis.data]
      const found = await Promise.all(masters.map((master) => master.keys('saoma:mark:*')))
      seen = found.filter((keys) => keys.length > 0).length
    }
  }
  return { redis, told, marked, losses: () => losses }
}

test('a Redis that is emptied or returns without its data is noticed', async () => {
  const server = await startRedis()
  const { told, marked } = await openNode(server.url)
  await marked(1)
  await (await operatorAt(server.url)).flushall()
  expect(await told(1)).toBe(1)
  await server.stop()
  await startRedis({ port: server.port })
  expect(await told(2)).toBe(2)
})

test('a Redis that was full for long and is emptied by hand is noticed', async () => {
  const server = await startRedis()
  const operator = await operatorAt(server.url)
  const { redis, told, marked } = await openNode(server.url)
  await marked(1)
  await operator.config('SET', 'maxmemory', '1')
  while (redis.refusal('data') !== 'OOM') await operator.ping()
  // The key of the beat, of which a full Redis takes no other.
  await operator.del(await operator.keys('saoma:beat:*'))
  await operator.flushall()
  expect(await told(1)).toBe(1)
})

test('a mark that expired while nothing was sent proves nothing', async () => {
  const server = await startRedis()
  const connection = await operatorAt(server.url)
  const keys = createKeys('saoma')
  let at = 1
  const told = Promise.withResolvers<number>()
  const beat = createBeat({ data: connection, pub: connection }, keys, {
    onRefusal: () => {},
    onEmptied: () => told.resolve(at),
    now: () => at,
  })
  onCleanup(() => beat.close())
  beat.know('tag')
  const say = async () => {
    await beat.say('data', 'tag')
    // On the same connection, so that the mark has been answered.
    await connection.ping()
  }
  await say()
  at += MARK_MS
  await connection.flushall()
  await say()
  at += MARK_MS - 1
  await connection.flushall()
  await say()
  expect(await told.promise).toBe(2 * MARK_MS)
})

test('an emptied shard is noticed; a moved slot and a failover are not mistaken for one', async () => {
  const cluster = await startRedisCluster({ replicas: true })
  const { redis, told, marked, losses } = await openNode(cluster.url)
  await marked(3)
  const [first = 0, second = 0, third = 0] = cluster.ports
  const at = await operatorAt(`redis://127.0.0.1:${first}`)
  const slots = (await at.keys('saoma:mark:*')).map((key) => calculateSlot(key))
  await cluster.moveSlots(slots, second)
  const successor = await cluster.failOver(third)
  // Both are well known, and beats have gone there.
  for (let ready = false; !ready; ) {
    const masters = 'nodes' in redis.data ? redis.data.nodes('master') : []
    const stats = await Promise.all(
      masters.map(async (node) => `${node.options.port} ${(await node.keys('saoma:mark:*')).length}`),
    )
    ready = [first, second, successor].every((port) => stats.some((each) => RegExp(`^${port} [1-9]`).test(each)))
  }
  expect(losses()).toBe(0)
  await at.flushall()
  expect(await told(1)).toBe(1)
  for (const port of [second, successor]) await (await operatorAt(`redis://127.0.0.1:${port}`)).flushall()
  expect(await told(2)).toBe(2)
})
