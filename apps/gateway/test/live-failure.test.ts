import { setTimeout as delay } from 'node:timers/promises'
import type { Message, Position } from '@saoma/protocol'
import {
  type Cluster,
  connectLive,
  publish,
  request,
  startCluster,
  startGateway,
  startLossyWay,
  startRedis,
  testApiKey,
  until,
  webToken,
} from '@saoma/testing'
import { nodeNamed, openOperator, upTo } from './fixtures.ts'

let cluster: Cluster
let alice: Awaited<ReturnType<typeof webToken>>

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2, appendonly: true, env: { SAOMA_LIMIT_KEY_EVENTS: '100000' } })
  alice = await webToken(cluster.origin, 'alice')
})

const node = (id: string) => nodeNamed(cluster.nodes, id)

const ready = (id: string) =>
  until(
    () => request(`${node(id).internalOrigin}/readyz`),
    ({ status }) => status === 200,
  )

const ANSWER_MS = 10_000
/**
 * Between two messages, and before one is tried again: what is proved is that none is lost, not how many
 * there can be.
 */
const PAUSE_MS = 25

/**
 * Follows a channel on one connection for as long as it takes: subscribes again from its position after every
 * loss of the connection.
 */
const follow = async (origin: string, channel: string) => {
  const client = connectLive(origin, { token: alice.access_token })
  const heard: Message[] = []
  let at: Position | undefined
  let wake = () => {}
  const take = (messages: readonly Message[]) => {
    for (const message of messages) {
      heard.push(message)
      at = message
    }
    wake()
  }
  /**
   * In the moment in which the answer is heard: a promise would go on after the messages that came together
   * with it.
   */
  const subscribe = (): Promise<void> =>
    new Promise((resolve) => {
      client.socket.timeout(ANSWER_MS).emit('subscribe', { channel, ...(at ? { since: at } : {}) }, (error, answer) => {
        const retry = error ? client.socket.connected : !answer.ok || answer.more
        if (!error && answer.ok) {
          take(answer.messages)
          at = { epoch: answer.epoch, offset: answer.offset }
        }
        if (retry) void subscribe().then(resolve)
        else resolve()
      })
    })
  client.socket.on('message', (message) => take([message]))
  await client.next('connect')
  await subscribe()
  client.socket.on('connect', () => void subscribe())
  return {
    client,
    heard,
    /** Resolves when so many were heard. */
    complete: async (count: number) => {
      while (heard.length < count)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
    },
  }
}

/** Publishes numbers one after the other, each as often as needed, until told to stop. */
const publishNumbers = (origins: readonly string[], channel: string) => {
  let stopped = false
  let wake = () => {}
  const refused: number[] = []
  const acknowledged: { n: number; offset: number }[] = []
  const working = (async () => {
    for (let n = 0; !stopped; n++) {
      for (let attempt = 0; ; attempt++) {
        const origin = origins[(n + attempt) % origins.length] ?? ''
        const answer = await publish(origin, { channel, event: 'n', data: n, idempotencyKey: `n${n}` }).catch(
          () => undefined,
        )
        if (answer?.status === 200) {
          acknowledged.push({ n, offset: answer.body.offset ?? 0 })
          wake()
          await delay(PAUSE_MS)
          break
        }
        if (answer) refused.push(answer.status)
        await delay(PAUSE_MS)
      }
    }
  })()
  return {
    acknowledged,
    refused,
    stop: async () => {
      stopped = true
      await working
    },
    /** Resolves when so many were acknowledged. */
    reached: async (count: number) => {
      while (acknowledged.length < count)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
    },
  }
}

const expectWhole = (heard: readonly Message[], acknowledged: readonly { n: number; offset: number }[]) => {
  expect(heard.map(({ offset }) => offset)).toEqual(upTo(heard.length).map((i) => i + 1))
  // Everything acknowledged is there, once, where it was said to be.
  for (const { n, offset } of acknowledged) expect(heard[offset - 1]?.data).toBe(n)
}

// Redis is killed and comes back with its log.
test('writes that were refused while Redis was dead did not happen; followers get the rest', async () => {
  const channel = 'room:open-redis'
  const readers = await Promise.all([follow(node('a').origin, channel), follow(node('b').origin, channel)])
  const exits: unknown[] = []
  for (const each of cluster.nodes) void each.exited.then((exit) => exits.push(exit))
  const publisher = publishNumbers([node('a').origin, node('b').origin], channel)
  await publisher.reached(50)

  await cluster.redis.kill('SIGKILL')
  const refused = await publish(node('a').origin, { channel, event: 'never', data: 'never' })
  expect(refused).toMatchObject({ status: 503, body: { code: 'REDIS_UNAVAILABLE', react: 'retry' } })
  const socket = readers[0]?.client
  expect(await socket?.publish({ channel, event: 'never', data: 'never' })).toMatchObject({ code: 'REDIS_UNAVAILABLE' })
  expect(await socket?.subscribe({ channel: 'room:open-other' })).toMatchObject({ code: 'REDIS_UNAVAILABLE' })

  await cluster.redis.restart()
  await Promise.all([ready('a'), ready('b')])
  const before = publisher.acknowledged.length
  await publisher.reached(before + 50)
  await publisher.stop()
  const total = publisher.acknowledged.at(-1)?.offset ?? 0
  expect(new Set(publisher.refused)).toEqual(new Set([503]))
  for (const reader of readers) {
    await reader.complete(total)
    expectWhole(reader.heard, publisher.acknowledged)
    expect(reader.heard.some(({ data }) => data === 'never')).toBe(false)
    reader.client.close()
  }
  expect(exits).toEqual([])
})

test('nobody misses anything when only the subscriptions are cut, again and again', async () => {
  const channel = 'room:open-cut'
  const operator = await openOperator(cluster.redis.url)
  const reader = await follow(node('a').origin, channel)
  const publisher = publishNumbers([node('b').origin], channel)
  for (const round of upTo(5)) {
    await publisher.reached((round + 1) * 30)
    await operator.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  }
  await publisher.reached(publisher.acknowledged.length + 30)
  await publisher.stop()
  await reader.complete(publisher.acknowledged.length)
  expectWhole(reader.heard, publisher.acknowledged)
  expect(publisher.refused).toEqual([])
  reader.client.close()
})

test('a reader continues at the other node from its position after kill -9 of its own', async () => {
  const channel = 'room:open-kill'
  const reader = await follow(cluster.origin, channel)
  const holder = reader.client.socket.io.engine.id.split('-')[0] ?? ''
  const publisher = publishNumbers([node(holder === 'a' ? 'b' : 'a').origin], channel)
  await publisher.reached(50)
  await node(holder).kill('SIGKILL')
  await reader.client.next('disconnect')
  await publisher.reached(publisher.acknowledged.length + 50)
  await publisher.stop()
  await reader.complete(publisher.acknowledged.length)
  expectWhole(reader.heard, publisher.acknowledged)
  reader.client.close()
  await node(holder).restart()
})

test('the people of a dead node are no longer present within seconds', async () => {
  const channel = 'room:open-presence'
  const stays = connectLive(node('b').origin, { token: alice.access_token })
  await stays.subscribe({ channel })
  const bob = await webToken(cluster.origin, 'bob')
  const dies = connectLive(node('a').origin, { token: bob.access_token, reconnection: false })
  await dies.subscribe({ channel })
  const events = [await stays.next('presence'), await stays.next('presence')]
  expect(events.map(({ event, user }) => [event, user])).toContainEqual(['join', bob.user])
  await node('a').kill('SIGKILL')
  expect(await stays.next('presence', 15_000)).toEqual({ channel, event: 'leave', user: bob.user, count: 1 })
  expect(await stays.presence({ channel })).toMatchObject({ ok: true, users: [alice.user], count: 1, connections: 1 })
  await node('a').restart()
})

test('a node notices a deaf subscription, and its readers get everything', async () => {
  const redis = await startRedis()
  const way = await startLossyWay(redis.port)
  const origin = 'http://127.0.0.1'
  const [deaf, other] = await Promise.all([
    startGateway({ redisUrl: way.url, nodeId: 'a', origin }),
    startGateway({ redisUrl: redis.url, nodeId: 'b', origin }),
  ])
  const channel = 'room:open-deaf'
  const reader = connectLive(deaf.origin, { token: testApiKey })
  expect(await reader.subscribe({ channel })).toMatchObject({ ok: true })
  await publish(other.origin, { channel, event: 'n', data: 'heard' })
  expect(await reader.next('message')).toMatchObject({ data: 'heard' })
  await way.deafen()
  await publish(
    other.origin,
    [1, 2, 3].map((data) => ({ channel, event: 'n', data })),
  )
  // Three intervals of the probe are fifteen seconds.
  expect(await reader.next('message', 28_000)).toMatchObject({ data: 1, offset: 2 })
  expect(await reader.next('message')).toMatchObject({ data: 2, offset: 3 })
  expect(await reader.next('message')).toMatchObject({ data: 3, offset: 4 })
})
