import { onCleanup, startRedisCluster } from '@saoma/testing'
import { connect, createRedis, whenReady } from '../src/index.ts'
import { next, openSubscriber } from './fixtures/subscriber.ts'

const LIVE_MS = 2_000
const names = Array.from({ length: 60 }, (_, i) => `room-${i}`)

const cluster = await startRedisCluster({ replicas: true })

test('when a replica takes over, orderly or because its master was killed, all channels are heard within two seconds', async () => {
  const redis = await createRedis({ url: cluster.url })
  onCleanup(() => redis.close())
  const subscriber = await openSubscriber(cluster.url)
  await Promise.all(names.map((name) => subscriber.hold(name)))
  const liveAgain = async () => {
    const start = performance.now()
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
    return performance.now() - start
  }

  await cluster.failOver(cluster.ports[0] ?? 0)
  expect(await liveAgain()).toBeLessThan(LIVE_MS)

  const [, killed] = cluster.nodes
  const [, replica] = cluster.replicas
  await killed?.kill('SIGKILL')
  await replica?.nextLine(({ text }) => text.includes('election won'), 20_000)
  // Its slots are served again when the others have heard of it.
  await replica?.nextLine(({ text }) => text.includes('Cluster state changed: ok'), 20_000)
  expect(await liveAgain()).toBeLessThan(LIVE_MS)
  expect(redis.unavailable()).toEqual([])
}, 60_000)

test('whoever comes to a cluster that has failed over is in at the first attempt', async () => {
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
