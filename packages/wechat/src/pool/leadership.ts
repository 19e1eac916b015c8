import { randomUUID } from 'node:crypto'
import type { RedisClients } from '@saoma/redis'
import { scripts } from './scripts.ts'

export interface LeadershipOptions {
  appid: string
  nodeId: string
  /** Lifetime of the lease in milliseconds. */
  leaseMs: number
}

/** Leader election: one node at a time may fill the pool. */
export interface Leadership {
  /**
   * Takes or renews the lease. `won` says whether this node holds it; `leftMs` is its remaining time. Rejects
   * with RedisUnavailable when Redis is unavailable; a lease that was won before stays valid until it
   * expires.
   */
  claim(): Promise<{ won: boolean; leftMs: number }>
  /** A signal that is aborted when the lease is lost; undefined while this node does not hold it. */
  held(): AbortSignal | undefined
  /** Releases the lease. */
  resign(): Promise<void>
}

/**
 * @param onLost  called when another node holds the lease, or may soon hold it because this node could not
 *   renew it
 */
export const createLeadership = (
  { data, keys }: RedisClients,
  { appid, nodeId, leaseMs }: LeadershipOptions,
  onLost: () => void,
): Leadership => {
  const refiller = keys.poolRefiller(appid)
  // A random part, because a restarted node with the same name is another holder: the old process may still
  // run.
  const holder = `${nodeId}:${randomUUID()}`
  let term: AbortController | undefined
  let timer: NodeJS.Timeout | undefined

  const end = () => {
    clearTimeout(timer)
    term?.abort()
    term = undefined
  }
  const lose = () => {
    if (!term) return
    end()
    onLost()
  }

  return {
    claim: async () => {
      const asked = performance.now()
      const answer = await scripts.lead(data, [refiller], [holder, leaseMs])
      if (!answer.won) {
        lose()
        return answer
      }
      term ??= new AbortController()
      clearTimeout(timer)
      // Counted from before the request, so that this node never believes in the lease longer than Redis
      // keeps it.
      timer = setTimeout(lose, Math.max(leaseMs - (performance.now() - asked), 0))
      return answer
    },
    held: () => term?.signal,
    resign: async () => {
      end()
      await scripts.resign(data, [refiller], [holder])
    },
  }
}
