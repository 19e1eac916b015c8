import { once } from 'node:events'
import { onCleanup, startRedisSentinel } from '@saoma/testing'
import { createRedis } from '../src/index.ts'

test('behind Sentinel, a node and its subscriptions follow the master to its successor', async () => {
  const { url, master, switched } = await startRedisSentinel()
  const redis = await createRedis({ url })
  onCleanup(() => redis.close())
  await redis.data.set('before', 'kept')
  expect(await redis.data.wait(2, 2_000)).toBe(2)
  const heard = Promise.withResolvers<string>()
  await redis.subscriber.hold('{room}', { hear: (payload) => heard.resolve(String(payload)) })

  const resubscribed = once(redis.subscriber, 'resubscribed')
  // Not events.once, which takes the errors of the search for the new master for the end.
  const back = new Promise<void>((resolve) => redis.data.once('ready', () => resolve()))
  await master.kill()
  await Promise.all([switched(), resubscribed, back])

  expect(await redis.data.get('before')).toBe('kept')
  await redis.data.spublish('{room}', 'still here')
  expect(await heard.promise).toBe('still here')
})
