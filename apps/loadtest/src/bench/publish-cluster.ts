import { OWN_CHANNEL, userChannel } from '@saoma/protocol'
import { onCleanup } from '@saoma/testing'
import type { Socket } from 'socket.io-client'
import { type Cluster, createCluster } from './cluster.ts'
import { batches } from './numbers.ts'
import { PACE, pushAll } from './pace.ts'
import { createReceipts } from './receipts.ts'
import { startSaoma } from './saoma.ts'
import { connectSocket } from './socket.ts'
import { startStock } from './stock.ts'
import type { Kind } from './worker-commands.ts'

/** People of the receiving node share the messages of a run. The others only wait. */
const PEOPLE_PER_NODE = 100
const RECEIVER = 1
/** Concurrent handshakes. */
const AT_ONCE = 50
const JOIN_TIMEOUT_MS = 20_000

interface Person {
  url: string
  name: string
}

/** Follows the person's own channel. */
const follow = async (kind: Kind, { url, name }: Person, onData: (data: { id: string }) => void): Promise<Socket> => {
  const socket = await connectSocket(url, { token: name })
  const [event, request] = kind === 'ours' ? ['subscribe', { channel: OWN_CHANNEL }] : ['join', userChannel(name)]
  socket.on('message', (message) => onData(kind === 'ours' ? message.data : message))
  await socket.timeout(JOIN_TIMEOUT_MS).emitWithAck(event, request)
  return socket
}

/** People who follow their own channels, and a backend that publishes to one person at a time. */
export const startPublishCluster = async (kind: Kind, size: number): Promise<Cluster> => {
  const system = await (kind === 'ours' ? startSaoma(size) : startStock(size))
  const receipts = createReceipts()
  const sockets: Socket[] = []
  const close = () => {
    forget()
    for (const socket of sockets) socket.disconnect()
  }
  const forget = onCleanup(close)
  const nameOf = (node: number, person: number) => `bench-${node}-${person}`
  const people = system.urls.flatMap((url, node) =>
    Array.from({ length: PEOPLE_PER_NODE }, (_, person) => ({ url, name: nameOf(node, person) })),
  )
  for (const batch of batches(people, AT_ONCE))
    sockets.push(...(await Promise.all(batch.map((person) => follow(kind, person, ({ id }) => receipts.take(id))))))

  let published = 0
  const push = (id: string) =>
    system.publish(userChannel(nameOf(RECEIVER, Number(id) % PEOPLE_PER_NODE)), { id, text: TEXT })
  return createCluster({
    kind,
    nodes: system.nodes,
    redis: system.redis,
    receipts,
    prepare: async (count) => Array.from({ length: count }, () => `${++published}`),
    push: (ids) => pushAll(ids, push, PACE),
    stop: async () => {
      close()
      await system.stop()
    },
  })
}

/** Pads the data to about a hundred bytes. */
const TEXT = 'x'.repeat(80)
