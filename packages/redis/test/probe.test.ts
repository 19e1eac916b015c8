import { once } from 'node:events'
import { onCleanup, startLossyWay, startRedis, startRedisCluster, until } from '@saoma/testing'
import { connect, createRedis, type RedisClients, whenReady } from '../src/index.ts'

/** All that is said in a room, which is read as it comes. */
const listening = async (redis: RedisClients): Promise<string[]> => {
  onCleanup(() => redis.close())
  const heard: string[] = []
  await redis.subscriber.hold('{room}', { hear: (payload) => heard.push(payload.toString()) })
  return heard
}
const includes = (heard: string[], text: string) =>
  until(
    async () => heard,
    (texts) => texts.includes(text),
  )

const DEAF = 'sub: the subscription is connected but hears nothing; making it anew'

// Without the probe it stays deaf.
test('a deaf subscription is noticed, reported and replaced', async () => {
  const server = await startRedis()
  const [way, controlWay] = [await startLossyWay(server.port), await startLossyWay(server.port)]
  const errors: string[] = []
  const probed = await createRedis({
    url: way.url,
    probeMs: 50,
    onError: (error, role) => errors.push(`${role}: ${error.message}`),
  })
  const control = await createRedis({ url: controlWay.url, probeMs: 0 })
  const [heard, heardByControl] = [await listening(probed), await listening(control)]

  await way.deafen()
  await controlWay.deafen()
  await probed.data.spublish('{room}', 'lost')
  await once(probed.subscriber, 'resubscribed')
  expect(new Set(errors)).toEqual(new Set([DEAF]))

  await probed.data.spublish('{room}', 'heard')
  await includes(heard, 'heard')
  expect(heard).toEqual(['heard'])
  await until(
    async () => probed.unavailable(),
    (roles) => roles.length === 0,
  )
  expect(heardByControl).toEqual([])
  expect(control.unavailable()).toEqual([])
})

test('in a Redis Cluster each deaf shard is noticed', async () => {
  const cluster = await startRedisCluster()
  // Every member says that it is at the other end of a way of its own.
  const ways = await Promise.all(cluster.ports.map(startLossyWay))
  const members = await Promise.all(
    cluster.nodes.map(async ({ url }) => {
      const member = connect({ url, name: 'test', onError: () => {} })
      onCleanup(() => member.disconnect())
      await whenReady(member, 5_000)
      return member
    }),
  )
  await Promise.all(
    members.map((member, i) => member.call('CONFIG', 'SET', 'cluster-announce-port', `${ways[i]?.port}`)),
  )
  for (const member of members)
    await until(
      async () => JSON.stringify(await member.call('CLUSTER', 'SLOTS')),
      (slots) => ways.every(({ port }) => slots.includes(`${port}`)),
    )

  const errors: string[] = []
  const redis = await createRedis({
    url: `redis+cluster://${ways.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
    probeMs: 50,
    onError: (error, role) => errors.push(`${role}: ${error.message}`),
  })
  onCleanup(() => redis.close())
  for (const way of ways) {
    await until(
      async () => redis.echoAge(),
      (age) => age !== undefined && age < 0.2,
    )
    const before = errors.length
    await way.deafen()
    // On a busy machine three echoes in a row of a shard that hears may be late: one more alarm, which does
    // no harm.
    while (errors.length === before) await once(redis.subscriber, 'resubscribed')
  }
  expect(errors.length).toBeGreaterThanOrEqual(ways.length)
  expect(new Set(errors)).toEqual(new Set([DEAF]))
})

test('refused subscriptions are reported with the reason after a while, and recover', async () => {
  const server = await startRedis({ user: { name: 'saoma', rights: '~* &* +@all' }, password: 'pw' })
  const operator = connect({ ...server.operator, name: 'operator', onError: () => {} })
  onCleanup(() => operator.disconnect())
  await whenReady(operator, 5_000)
  const errors: string[] = []
  const redis = await createRedis({
    url: server.url,
    probeMs: 50,
    onError: (error, role) => errors.push(`${role}: ${error.message}`),
  })
  const heard = await listening(redis)
  await operator.call('ACL', 'SETUSER', 'saoma', '-ssubscribe')
  await operator.call('CLIENT', 'KILL', 'USER', 'saoma')
  await until(
    async () => redis.unavailable(),
    // Not for its connection, which is there again.
    (roles) => roles.includes('sub') && redis.subscriber.connected && redis.refusal('sub') === 'NOPERM',
  )
  const refusals = errors.filter((error) => error.startsWith('sub: Redis refuses subscriptions: NOPERM'))
  expect(refusals).toHaveLength(1)
  await operator.call('ACL', 'SETUSER', 'saoma', '+ssubscribe')
  await until(
    async () => redis.unavailable(),
    // A subscription that is being made again has some time, so it may not have been red at this moment.
    (roles) => roles.length === 0 && redis.refusal('sub') === undefined,
  )
  await redis.data.spublish('{room}', 'heard')
  await includes(heard, 'heard')
})
