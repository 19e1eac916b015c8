import { userChannel } from '@saoma/protocol'
import { onCleanup } from '@saoma/testing'
import { type Cluster, createCluster } from './cluster.ts'
import type { System } from './cluster-under-test.ts'
import { type Data, type Follow, followOurs, followStock } from './follow.ts'
import { batches } from './numbers.ts'
import { PACE, pushAll } from './pace.ts'
import { createReceipts } from './receipts.ts'
import { startSaoma } from './saoma.ts'
import { startStock } from './stock.ts'
import type { Kind } from './worker-commands.ts'

/** People of the receiving node share the messages of a run. The others only wait. */
const PEOPLE_PER_NODE = 100
const RECEIVER = 1
/** Concurrent handshakes. */
const AT_ONCE = 50
/** Pads the data to about a hundred bytes. */
const TEXT = 'x'.repeat(80)

/** What a backend tells one person. */
export interface Message {
  /** The person's name. */
  person: string
  data: Data
}

export interface PublishParts {
  system: System
  follow: Follow
  /** Resolves when the first node has accepted the last message. */
  publish(messages: readonly Message[]): Promise<unknown>
}

/** People who follow their own channels, and a backend that publishes to one person after the other. */
export const createPublishCluster = async ({ system, follow, publish }: PublishParts): Promise<Cluster> => {
  const receipts = createReceipts()
  const leaves: (() => void)[] = []
  const close = () => {
    forget()
    for (const leave of leaves) leave()
  }
  const forget = onCleanup(close)
  const nameOf = (node: number, person: number) => `bench-${node}-${person}`
  const people = system.urls.flatMap((url, node) =>
    Array.from({ length: PEOPLE_PER_NODE }, (_, person) => ({ url, name: nameOf(node, person) })),
  )
  for (const batch of batches(people, AT_ONCE))
    leaves.push(...(await Promise.all(batch.map((person) => follow(person, ({ id }) => receipts.take(id))))))

  let published = 0
  const messageOf = (id: string): Message => ({
    person: nameOf(RECEIVER, Number(id) % PEOPLE_PER_NODE),
    data: { id, text: TEXT },
  })
  return createCluster({
    nodes: system.nodes,
    redis: system.redis,
    receipts,
    prepare: async (count) => Array.from({ length: count }, () => `${++published}`),
    push: (ids) => publish(ids.map(messageOf)),
    stop: async () => {
      close()
      await system.stop()
    },
  })
}

/** The backend publishes through its socket. */
export const publishThrough = (system: System, follow: Follow): Promise<Cluster> =>
  createPublishCluster({
    system,
    follow,
    publish: (messages) => pushAll(messages, ({ person, data }) => system.publish(userChannel(person), data), PACE),
  })

export const startPublishCluster = async (kind: Kind, size: number): Promise<Cluster> =>
  kind === 'ours'
    ? publishThrough(await startSaoma(size), followOurs)
    : publishThrough(await startStock(size), followStock)
