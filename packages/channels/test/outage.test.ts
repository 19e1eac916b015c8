import { RedisUnavailable, whenReady } from '@saoma/redis'
import { startRedis } from '@saoma/testing'
import {
  drawChannel,
  drawLoudChannel,
  follow,
  numbers,
  openNode,
  presenceOf,
  publishNumbers,
  uniquePrefix,
} from './fixtures.ts'

const READY_MS = 10_000

const server = await startRedis({ appendonly: true, args: ['--appendfsync', 'always'] })
const prefix = uniquePrefix()
const [node, other] = await Promise.all([openNode(server.url, prefix), openNode(server.url, prefix)])

test('[C30] while Redis is away every call is refused; afterwards followers go on without a gap, all present', async () => {
  const channel = drawLoudChannel()
  const follower = await follow(node, channel, { user: 'ann' })
  await publishNumbers(other, channel, numbers(10))
  await follower.count(10)
  const mail = 'user:ann'
  await server.kill('SIGKILL')
  const calls = [
    () => node.publish({ channel, event: 'number', data: 1 }),
    () => node.publish({ channel, event: 'number', data: 1, volatile: true }),
    () => node.read(channel),
    () => node.trim(channel, 1),
    () => node.presence(channel),
    () => node.inbox(mail),
    () => node.markRead(mail, 1),
    () => node.end('ann'),
    () => node.lastEnd('ann'),
    () => node.attend('bob', () => {}),
    () => follow(node, channel, { user: 'bob' }),
    () => follow(node, drawChannel(), { user: 'bob' }),
  ]
  await Promise.all(calls.map((call) => expect(call()).rejects.toThrow(RedisUnavailable)))
  expect(node.size).toEqual({ channels: 1, followers: 1 })
  expect(node.subscriber.size).toBe(1)

  await server.restart()
  await Promise.all([node, other].map(({ redis }) => whenReady(redis.data, READY_MS)))
  await publishNumbers(other, channel, numbers(10, 11))
  await follower.count(20)
  expect(follower.data()).toEqual(numbers(20))
  await node.event(({ kind }) => kind === 'resynced')
  // Bob never came in; Ann was here all the time, whatever the nodes are called now.
  expect(await presenceOf(other, channel, 1)).toEqual({ channel, users: ['ann'], count: 1, connections: 1 })
  expect(follower.signals).toMatchObject([{ kind: 'presence', change: { event: 'join', user: 'ann' } }])
})

test('[C30] a Redis that comes back empty has other epochs, and its followers are told', async () => {
  const channel = drawChannel()
  const follower = await follow(node, channel, { user: 'ann' })
  await publishNumbers(other, channel, numbers(3))
  await follower.count(3)

  await node.redis.data.flushall()
  await publishNumbers(other, channel, [4])
  await follower.count(4)
  expect(follower.heard.at(-1)).toMatchObject({ offset: 1 })
  expect(follower.heard.at(-1)?.epoch).not.toBe(follower.page.epoch)
  expect(await presenceOf(other, channel, 1)).toEqual({ channel, users: ['ann'], count: 1, connections: 1 })
})
