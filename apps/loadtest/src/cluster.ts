import { setTimeout as delay } from 'node:timers/promises'
import { createRedis } from '@saoma/redis'
import { nodeFlags, onCleanup, startRedis } from '@saoma/testing'
import { createTickets } from '@saoma/tickets'
import { openBrowsers } from './browsers.ts'
import { type Child, startChild } from './child.ts'
import { createNames, createScanned } from './codes.ts'
import { sum } from './numbers.ts'
import type { Kind, NodeAnswer, NodeOrder, Pace } from './orders.ts'
import { createReceipts } from './receipts.ts'
import { redisInfo } from './redis-info.ts'

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
  /** Pushes `count` times, each from the first node to a browser of the second. Rejects when one is lost or comes twice. */
  run(count: number): Promise<Cost>
  /** CPU microseconds that all nodes and Redis use in `ms` of doing nothing. */
  idle(ms: number): Promise<number>
  stop(): Promise<void>
}

/**
 * Pushes are spread over time. As many as possible at once would be bundled into fewer reads and writes, which no cluster under its
 * normal load sees: that would make them look half as expensive.
 */
export const PACE: Pace = { perSecond: 2_000, inFlight: 32 }
/** Those of the receiving node share the rooms of a run among them; the others wait. */
const BROWSERS_PER_NODE = 100
const RECEIVE_TIMEOUT_MS = 15_000
/** What nodes may still have to do after the last browser has its push. */
const SETTLE_MS = 50
const [SENDER, RECEIVER] = [0, 1]

/** A Redis, its nodes and their browsers, all on the loopback interface. */
export const startCluster = async (kind: Kind, size: number): Promise<Cluster> => {
  const server = await startRedis()
  const redis = await createRedis({ url: server.url, name: 'bench' })
  const forget = onCleanup(() => redis.close())
  const tickets = createTickets(redis)
  const flags = kind === 'ours' ? nodeFlags : []
  const nodes: Child<NodeOrder, NodeAnswer>[] = await Promise.all(
    Array.from({ length: size }, () => startChild<NodeOrder, NodeAnswer>('./worker.ts', [kind, server.url], flags)),
  )
  const sender = nodes[SENDER]
  if (!sender || size <= RECEIVER) throw new RangeError('a push to another node needs two nodes')
  const receipts = createReceipts()
  const urls = nodes.map(({ started }) => `http://127.0.0.1:${started.port}`)
  const browsers = await openBrowsers(urls, BROWSERS_PER_NODE, receipts)

  const usage = async () => {
    const answers = await Promise.all(nodes.map((node) => node.ask({ do: 'usage' })))
    const info = await redisInfo(redis.data, 'cpu')
    const seconds = (info.used_cpu_user ?? 0) + (info.used_cpu_sys ?? 0)
    return { nodes: answers.map(({ microseconds }) => microseconds), redis: seconds * 1e6 }
  }
  /** What happens during `act` costs each process, in microseconds. */
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
      const names = kind === 'ours' ? await createScanned(tickets, count) : createNames(count)
      await sender.ask({ do: 'load', tickets: names })
      await browsers.wait(RECEIVER, names)
      receipts.expect(names)
      const cost = await costOf(async () => {
        await Promise.all([
          sender.ask({ do: 'push', pace: PACE }),
          receipts.all(RECEIVE_TIMEOUT_MS + 2 * paceMs(count)),
        ])
        await delay(SETTLE_MS)
      })
      receipts.assertOnce()
      const [sent = 0, received = 0, ...others] = cost.nodes
      return {
        sender: sent / count,
        receiver: received / count,
        other: others.length > 0 ? sum(others) / others.length / count : 0,
        nodes: sum(cost.nodes) / count,
        redis: cost.redis / count,
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

/** How long so many pushes take on a machine that has nothing else to do. */
export const paceMs = (count: number): number => (count / PACE.perSecond) * 1000
