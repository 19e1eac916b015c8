import { setTimeout as delay } from 'node:timers/promises'
import { costOf } from './cpu.ts'
import { sum } from './numbers.ts'
import { paceMs } from './pace.ts'
import type { Receipts } from './receipts.ts'

/** CPU microseconds per push. */
export interface Cost {
  sender: number
  receiver: number
  /** Each node that neither sends nor receives; 0 if there is no such node. */
  other: number
  /** All nodes together. */
  nodes: number
  redis: number
  /** Each process of Redis, in the order of `Parts`. */
  masters: readonly number[]
}

export interface Cluster {
  /**
   * Pushes `count` times, each from the first node to a client of the second. Rejects when a push is lost or
   * arrives twice.
   */
  run(count: number): Promise<Cost>
  /** CPU microseconds that all nodes and Redis use while idle for `ms`. */
  idle(ms: number): Promise<number>
  stop(): Promise<void>
}

/** The parts of a cluster. Clusters differ in nothing else. */
export interface Parts {
  /** Process ids. The first node sends, the second one receives. */
  nodes: readonly number[]
  redis: readonly number[]
  receipts: Receipts
  /** Prepares this many pushes; resolves with their ids. */
  prepare(count: number): Promise<readonly string[]>
  /** Resolves when Redis has accepted the last push. */
  push(ids: readonly string[]): Promise<unknown>
  stop(): Promise<void>
}

const RECEIVE_TIMEOUT_MS = 15_000
/** Time for work that nodes may still do after the last client has its push. */
const SETTLE_MS = 50

export const createCluster = ({ nodes, redis, receipts, prepare, push, stop }: Parts): Cluster => {
  const pids = [...nodes, ...redis]
  return {
    run: async (count) => {
      const ids = await prepare(count)
      receipts.expect(ids)
      const costs = await costOf(pids, async () => {
        await Promise.all([push(ids), receipts.all(RECEIVE_TIMEOUT_MS + 2 * paceMs(count))])
        await delay(SETTLE_MS)
      })
      receipts.assertOnce()
      const perPush = costs.map((cost) => cost / count)
      const [sender = 0, receiver = 0, ...others] = perPush.slice(0, nodes.length)
      const masters = perPush.slice(nodes.length)
      return {
        sender,
        receiver,
        other: others.length > 0 ? sum(others) / others.length : 0,
        nodes: sender + receiver + sum(others),
        redis: sum(masters),
        masters,
      }
    },

    idle: async (ms) => sum(await costOf(pids, () => delay(ms))),
    stop,
  }
}
