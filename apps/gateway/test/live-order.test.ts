import type { Message } from '@saoma/protocol'
import { type Cluster, connectLive, type LiveClient, startCluster, testApiKey } from '@saoma/testing'
import { nodeAt, upTo } from './fixtures.ts'

let cluster: Cluster
let writer: LiveClient

beforeAll(async () => {
  cluster = await startCluster({
    nodes: 2,
    env: { SAOMA_LIMIT_KEY_EVENTS: '1000000', SAOMA_LIMIT_CHANNELS: '100000' },
  })
  writer = connectLive(origin(1), { token: testApiKey })
  await writer.next('connect')
})

const origin = (node: number): string => nodeAt(cluster.nodes, node).origin

/** Publishes into all channels, as fast as they are taken, until it is told to end. */
const writeTo = (channels: readonly string[]): (() => Promise<unknown>) => {
  let running = true
  const writing = channels.map(async (channel) => {
    while (running) await writer.publish({ channel, event: 'n', data: 'x' })
  })
  return () => {
    running = false
    return Promise.all(writing)
  }
}

/** Everything a client hears, in the order of its arrival. */
const listenTo = (reader: LiveClient) => {
  const heard: Message[] = []
  let goal = Number.POSITIVE_INFINITY
  let reached = () => {}
  reader.socket.on('message', (message) => {
    if (heard.push(message) === goal) reached()
  })
  return {
    heard,
    until: (count: number) =>
      new Promise<void>((resolve) => {
        if (heard.length >= count) return resolve()
        goal = count
        reached = resolve
      }),
  }
}

const offsetsOf = (messages: readonly Message[], channel: string) =>
  messages.filter((message) => message.channel === channel).map(({ offset }) => offset)

const expectConsecutive = (offsets: readonly number[], first: number) =>
  expect(offsets).toEqual(offsets.map((_, i) => first + i))

// However many answers are under way.
test('messages never overtake the answer to their subscription', async () => {
  const channels = upTo(8).map((i) => `room:open-order-${i}`)
  const end = writeTo(channels)
  for (const _ of upTo(15)) {
    const reader = connectLive(origin(0), { token: testApiKey })
    const { heard, until } = listenTo(reader)
    await reader.next('connect')
    const answers = channels.map(
      (channel) =>
        new Promise<{ channel: string; offset: number; early: readonly number[] }>((resolve) => {
          // Looked at while the answer is being heard: a promise would go on after whatever came together
          // with it.
          reader.socket.emit('subscribe', { channel }, (answer) =>
            resolve({ channel, offset: answer.ok ? answer.offset : Number.NaN, early: offsetsOf(heard, channel) }),
          )
        }),
    )
    const positions = await Promise.all(answers)
    await until(heard.length + 100)
    for (const { channel, offset, early } of positions) {
      expect(early).toEqual([])
      expectConsecutive(offsetsOf(heard, channel), offset + 1)
    }
    reader.close()
  }
  await end()
})

test('a client that moves from polling to a WebSocket gets each message once, in order', async () => {
  const channel = 'room:open-upgrade'
  const end = writeTo([channel])
  await Promise.all(
    upTo(20).map(async () => {
      const reader = connectLive(origin(0), { token: testApiKey, transports: ['polling', 'websocket'] })
      const { heard, until } = listenTo(reader)
      await reader.next('connect')
      const upgraded = new Promise((resolve) => reader.socket.io.engine.once('upgrade', resolve))
      const isPolling = reader.socket.io.engine.transport.name === 'polling'
      const answer = await reader.subscribe({ channel })
      if (isPolling) await upgraded
      await until(heard.length + 50)
      expect(reader.socket.io.engine.transport.name).toBe('websocket')
      expectConsecutive(offsetsOf(heard, channel), answer.ok ? answer.offset + 1 : Number.NaN)
      reader.close()
    }),
  )
  await end()
})
