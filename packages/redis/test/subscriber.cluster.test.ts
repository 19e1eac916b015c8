import { once } from 'node:events'
import { onCleanup, startRedisCluster } from '@saoma/testing'
import { connect, Subscriber, whenReady } from '../src/index.ts'
import { CHANNELS, subscriberContract } from './subscriber-contract.ts'

const redis = await startRedisCluster()
await subscriberContract(redis.url)

test('a cluster told to connect anew while it connects to its shards hears all of them afterwards', async () => {
  for (const moment of [0, 1, 2, 3]) {
    const connection = connect({ url: redis.url, name: 'test:sub', onError: () => {}, subscribes: true })
    onCleanup(() => connection.disconnect())
    const subscriber = new Subscriber(connection)
    await once(connection, '+subscriber')
    for (let turn = 0; turn < moment; turn++) await new Promise(setImmediate)
    const closed = new Promise<void>((resolve) => connection.once('close', () => resolve()))
    connection.disconnect(true)
    await closed
    await whenReady(connection, 10_000)
    await Promise.all(CHANNELS.map((channel) => subscriber.hold(channel)))
    subscriber.close()
  }
})
