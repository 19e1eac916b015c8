import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster } from '@saoma/testing'
import { Redis } from 'ioredis'

export const faultNames = ['kill', 'drain', 'redis', 'subscriber'] as const
export type FaultName = (typeof faultNames)[number]

/** What is done to a cluster. Resolves when it is over: what was taken away is there again and says that it listens. */
export type Fault = (cluster: Cluster, turn: number, downMs: number) => Promise<string>

const nodeOf = ({ nodes }: Cluster, turn: number) => {
  const node = nodes[turn % nodes.length]
  if (!node) throw new Error('the cluster has no node')
  return node
}

/** Each resolves with what it was done to. The nodes take turns. */
export const faults: Readonly<Record<FaultName, Fault>> = {
  kill: async (cluster, turn, downMs) => {
    const node = nodeOf(cluster, turn)
    await node.kill('SIGKILL')
    await delay(downMs)
    await node.restart()
    return `node ${node.id}`
  },
  drain: async (cluster, turn, downMs) => {
    const node = nodeOf(cluster, turn)
    await node.kill('SIGTERM')
    await delay(downMs)
    await node.restart()
    return `node ${node.id}`
  },
  redis: async ({ redis }, _, downMs) => {
    await redis.kill('SIGTERM')
    await delay(downMs)
    await redis.restart()
    return 'Redis'
  },
  // The nodes' other connections stay. This is over at once.
  subscriber: async ({ redis }) => {
    const client = new Redis(redis.url)
    try {
      const cut = await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
      if (Number(cut) === 0) throw new Error('no node had a subscriber connection to cut')
      return `${cut} connections`
    } finally {
      client.disconnect()
    }
  },
}
