import { onCleanup, startRedis, startRedisCluster, until } from '@saoma/testing'
import calculateSlot from 'cluster-key-slot'
import { connect, createRedis, type MemoryWatchOptions, watchMemory, whenReady } from '../src/index.ts'

const open = async (
  args: readonly string[],
  { user, ...options }: Partial<MemoryWatchOptions> & { user?: string } = {},
) => {
  const server = await startRedis({ args })
  const admin = await createRedis({ url: server.url, probeMs: 0 })
  onCleanup(() => admin.close())
  if (user) await admin.data.acl('SETUSER', user, 'on', '>pass', '~*', '&*', '+@all', '-info')
  const url = user ? server.url.replace('redis://', `redis://${user}:pass@`) : server.url
  const redis = await createRedis({ url, probeMs: 0 })
  onCleanup(() => redis.close())
  const told: (boolean | string)[] = []
  const memory = watchMemory(redis.data, {
    share: 0.5,
    everyMs: 3_600_000,
    onRoom: (hasRoom) => told.push(hasRoom),
    onUntold: (why) => told.push(why),
    ...options,
  })
  onCleanup(() => memory.close())
  const fill = async (key: string, bytes: number) => {
    await admin.data.setrange(key, bytes - 1, 'x')
    await memory.look()
  }
  return { admin, memory, told, fill }
}

test('memory is full from the share on, and free again only a little below it', async () => {
  const { admin, memory, told, fill } = await open(['--maxmemory', '100mb'])
  await memory.look()
  expect([memory.hasRoom(), told]).toEqual([true, []])
  const base = Math.round((memory.part() ?? 0) * 100 * 2 ** 20)
  await fill('a', 51 * 2 ** 20 - base)
  expect([memory.hasRoom(), told]).toEqual([false, [false]])
  expect(memory.part()).toBeGreaterThan(0.5)
  // Below the share, and not by enough: what is at the edge does not go on and off.
  await admin.data.del('a')
  await fill('a', 49 * 2 ** 20 - base)
  expect([memory.hasRoom(), told]).toEqual([false, [false]])
  await admin.data.del('a')
  await memory.look()
  expect([memory.hasRoom(), told]).toEqual([true, [false, true]])
})

test('a burst is noticed before the next look', async () => {
  const { admin, memory, told } = await open(['--maxmemory', '100mb'])
  await memory.look()
  await admin.data.setrange('a', 60 * 2 ** 20, 'x')
  // Little was written here, so nothing is asked.
  expect(memory.hasRoom(1_000)).toBe(true)
  await admin.data.ping()
  expect(told).toEqual([])
  expect(memory.hasRoom(2 ** 21)).toBe(true)
  await until(
    async () => told.length,
    (count) => count > 0,
  )
  expect([memory.hasRoom(), told]).toEqual([false, [false]])
})

test('memory counts as free without maxmemory or a permitted INFO, reported once', async () => {
  const without = await open([])
  const refused = await open(['--maxmemory', '100mb'], { user: 'blind' })
  for (const { memory, told } of [without, refused]) {
    await memory.look()
    await memory.look()
    expect([memory.hasRoom(), memory.part(), told.length]).toEqual([true, undefined, 1])
  }
  expect([without.told, refused.told]).toEqual([['maxmemory is not set'], [expect.stringContaining('NOPERM')]])
})

// Without any answer nothing is said.
test('in a Redis Cluster the answering shards are judged, and others keep their state', async () => {
  const cluster = await startRedisCluster()
  for (const { url } of cluster.nodes) {
    const operator = connect({ url, name: 'test', onError: () => {} })
    onCleanup(() => operator.disconnect())
    await whenReady(operator, 5_000)
    await operator.config('SET', 'maxmemory', `${100 * 2 ** 20}`)
  }
  let key = ''
  for (let n = 0; key === ''; n++) if ((await cluster.ownerOf(calculateSlot(`${n}`))) === cluster.ports[1]) key = `${n}`
  const redis = await createRedis({ url: cluster.url, probeMs: 0 })
  onCleanup(() => redis.close())
  const told: (boolean | string)[] = []
  const memory = watchMemory(redis.data, {
    share: 0.5,
    everyMs: 3_600_000,
    onRoom: (hasRoom) => told.push(hasRoom),
    onUntold: (why) => told.push(why),
  })
  onCleanup(() => memory.close())
  await memory.look()
  expect([memory.hasRoom(), told]).toEqual([true, []])
  await cluster.nodes[0]?.kill('SIGSTOP')
  await redis.data.setrange(key, 60 * 2 ** 20, 'x')
  await memory.look()
  expect([memory.hasRoom(), told]).toEqual([false, [false]])
  await cluster.nodes[0]?.kill('SIGCONT')
  // Now the full one itself.
  await cluster.nodes[1]?.kill('SIGSTOP')
  await memory.look()
  expect([memory.hasRoom(), told]).toEqual([false, [false]])
  await cluster.nodes[1]?.kill('SIGCONT')
  await cluster.stop()
  while (redis.data.status === 'ready') await new Promise((resolve) => redis.data.once('close', resolve))
  await memory.look()
  expect([memory.hasRoom(), told]).toEqual([false, [false]])
})
