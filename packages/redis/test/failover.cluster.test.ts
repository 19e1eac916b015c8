import { elected, onCleanup, startAwake, startRedisCluster, until } from '@saoma/testing'
import { connect, createRedis, whenReady } from '../src/index.ts'
import { shardOf } from '../src/tags.ts'
import { next, openSubscriber } from './fixtures/subscriber.ts'

const LIVE_MS = 2_000
const names = Array.from({ length: 60 }, (_, i) => `room-${i}`)

const cluster = await startRedisCluster({ replicas: true })

// One takeover is orderly, and in the other the master is killed.
test('all channels are heard within two seconds of a takeover by a replica', async () => {
  const redis = await createRedis({ url: cluster.url })
  onCleanup(() => redis.close())
  const subscriber = await openSubscriber(cluster.url)
  await Promise.all(names.map((name) => subscriber.hold(name)))
  const liveAgain = async () => {
    const awake = startAwake()
    let unheard = names.length
    const heard = Promise.all(
      names.map((name) =>
        next(subscriber, name).then(() => {
          unheard--
        }),
      ),
    )
    while (unheard > 0) {
      await Promise.allSettled(names.map((name) => redis.pub.spublish(name, 'are you there?')))
      await new Promise(setImmediate)
    }
    await heard
    return awake.stop()
  }

  await cluster.failOver(cluster.ports[0] ?? 0)
  expect(await liveAgain()).toBeLessThan(LIVE_MS)

  const [, killed] = cluster.nodes
  const [, replica] = cluster.replicas
  if (!replica) throw new Error('it has no replicas')
  await killed?.kill('SIGKILL')
  await elected(replica)
  // Its slots are served again when the others have heard of it.
  await replica.nextLine(({ text }) => text.includes('Cluster state changed: ok'), 20_000)
  expect(await liveAgain()).toBeLessThan(LIVE_MS)
  // On a machine that is busy elsewhere an echo comes late.
  await until(
    async () => redis.unavailable(),
    (roles) => roles.length === 0,
  )
})

test('a newcomer to a cluster that failed over connects at the first attempt', async () => {
  let begunAnew = 0
  for (let round = 0; round < 20; round++) {
    const connection = connect({ url: cluster.url, name: 'late', onError: () => {} })
    connection.on('close', () => begunAnew++)
    await whenReady(connection, 5_000)
    connection.removeAllListeners('close')
    connection.disconnect()
  }
  expect(begunAnew).toBe(0)
})

test('channels of a frozen master with open connections are heard within two seconds', async () => {
  const cluster = await startRedisCluster({ replicas: true })
  const redis = await createRedis({ url: cluster.url })
  onCleanup(() => redis.close())
  const { subscriber } = redis
  const [frozen] = cluster.nodes
  const [replica] = cluster.replicas
  if (!frozen || !replica) throw new Error('this is no cluster')
  const successor = connect({ url: replica.url, name: 'operator', onError: () => {} })
  onCleanup(() => successor.disconnect())
  await whenReady(successor, 5_000)
  const its = names.filter((name) => shardOf(redis.data, name) === `127.0.0.1:${frozen.port}`)
  const unheard = new Set<string>()
  await Promise.all(names.map((name) => subscriber.hold(name, { hear: () => unheard.delete(name) })))

  const taken = elected(replica)
  await frozen.kill('SIGSTOP')
  onCleanup(() => frozen.kill('SIGCONT'))
  await taken
  const awake = startAwake()
  for (const name of its) unheard.add(name)
  while (unheard.size > 0) {
    await Promise.allSettled([...unheard].map((name) => successor.spublish(name, 'are you there?')))
    await new Promise(setImmediate)
  }
  expect(awake.stop()).toBeLessThan(LIVE_MS)
  await until(
    async () => redis.unavailable(),
    (roles) => roles.length === 0,
  )
  await frozen.kill('SIGCONT')
})
