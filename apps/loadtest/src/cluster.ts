import { setTimeout as delay } from 'node:timers/promises'
import { createRedis } from '@saoma/redis'
import { onCleanup, startRedis } from '@saoma/testing'
import { createTickets } from '@saoma/tickets'
import { openBrowsers } from './browsers.ts'
import { createNames, createScanned } from './codes.ts'
import { startNode } from './node.ts'
import { sum } from './numbers.ts'
import type { Kind } from './orders.ts'
import { createReceipts } from './receipts.ts'

/** CPU microseconds per push. */
export interface Cost {
  sender: number
  receiver: number
  /** Each node that neither sends nor receives; 0 when there is none. */
  other: number
  /** All nodes together. */
  nodes: number
  redis: number
}

export interface Cluster {
  readonly kind: Kind
  /** Pushes `count` times, each from one node to a browser on another. Rejects when one is lost or comes twice. */
  run(count: number): Promise<Cost>
  /** CPU microseconds of all nodes and Redis in `ms` of doing nothing. */
  idle(ms: number): Promise<number>
  stop(): Promise<void>
}

/** Far below what two cores can do, with room for what a busy machine delays. */
export const PACE = { perSecond: 2_000, inFlight: 32 }
/** Each browser waits in this many rooms at a time, so that a run needs fewer browsers than pushes. */
export const ROOMS_PER_BROWSER = 5
const RECEIVE_TIMEOUT_MS = 15_000
/** What nodes still have to do after the last browser has its push. */
const SETTLE_MS = 50

/** A Redis, so many nodes and so many browsers that each waits in `ROOMS_PER_BROWSER` rooms when `pushes` are made in one run. */
export const startCluster = async (kind: Kind, size: number, pushes: number): Promise<Cluster> => {
  const server = await startRedis()
  const redis = await createRedis({ url: server.url, name: 'bench' })
  const forget = onCleanup(() => redis.close())
  const tickets = createTickets(redis)
  const nodes = await Promise.all(Array.from({ length: size }, () => startNode(kind, server.url)))
  const receipts = createReceipts()
  const browsers = await openBrowsers(
    nodes.map(({ url }) => url),
    Math.ceil(pushes / size / ROOMS_PER_BROWSER),
    receipts,
  )

  const redisUsage = async (): Promise<number> => {
    const info = String(await redis.data.call('INFO', 'cpu'))
    const seconds = (name: string) => Number(new RegExp(`^${name}:(.+)$`, 'm').exec(info)?.[1])
    return Math.round((seconds('used_cpu_user') + seconds('used_cpu_sys')) * 1e6)
  }
  const usage = async () => ({
    nodes: await Promise.all(nodes.map((node) => node.usage())),
    redis: await redisUsage(),
  })

  /** What `act` costs each process, in microseconds. */
  const costOf = async (act: () => Promise<unknown>) => {
    const before = await usage()
    await act()
    const after = await usage()
    return {
      nodes: after.nodes.map((value, i) => value - (before.nodes[i] ?? 0)),
      redis: after.redis - before.redis,
    }
  }

  return {
    kind,

    run: async (count) => {
      const share = Math.ceil(count / size)
      const names = kind === 'ours' ? await createScanned(tickets, share * size) : createNames(share * size)
      const waves = nodes.map((sender, i) => ({
        sender,
        from: i,
        to: (i + 1) % size,
        names: names.slice(i * share, (i + 1) * share),
      }))
      for (const { sender, to, names } of waves) {
        await sender.load(names)
        await browsers.wait(to, names)
      }

      const total = { sender: 0, receiver: 0, nodes: 0, redis: 0 }
      for (const { sender, from, to, names } of waves) {
        receipts.expect(names)
        const cost = await costOf(async () => {
          await Promise.all([sender.push(PACE), receipts.all(RECEIVE_TIMEOUT_MS)])
          await delay(SETTLE_MS)
        })
        receipts.assertOnce()
        total.sender += cost.nodes[from] ?? 0
        total.receiver += cost.nodes[to] ?? 0
        total.nodes += sum(cost.nodes)
        total.redis += cost.redis
      }
      const others = size > 2 ? (total.nodes - total.sender - total.receiver) / (size - 2) : 0
      const made = share * size
      return {
        sender: total.sender / made,
        receiver: total.receiver / made,
        other: others / made,
        nodes: total.nodes / made,
        redis: total.redis / made,
      }
    },

    idle: async (ms) => {
      const cost = await costOf(() => delay(ms))
      return sum(cost.nodes) + cost.redis
    },

    stop: async () => {
      browsers.close()
      await Promise.all(nodes.map((node) => node.stop()))
      forget()
      await redis.close()
      await server.stop()
    },
  }
}
