import { randomUUID } from 'node:crypto'
import type { RedisClients } from '@saoma/redis'
import { scripts } from './scripts.ts'

export interface LeadershipOptions {
  appid: string
  nodeId: string
  /** Milliseconds for which the right to fill the pool is held without renewal. */
  leaseMs: number
}

/** The right to fill the pool, which one node has at a time. */
export interface Leadership {
  /**
   * Takes or renews it. `won` says whether this node has it, and `leftMs` for how long it is given away.
   * Rejects with RedisUnavailable when Redis cannot be asked; what was won before then lasts until its lease
   * is over.
   */
  claim(): Promise<{ won: boolean; leftMs: number }>
  /** Fires when it is lost; undefined while this node does not have it. */
  held(): AbortSignal | undefined
  /** Gives it back. */
  resign(): Promise<void>
}

/**
 * @param onLost  told when another node has it, or may have it soon because this one could not renew its
 *   lease
 */
export const createLeadership = (
  { data, keys }: RedisClients,
  { appid, nodeId, leaseMs }: LeadershipOptions,
  onLost: () => void,
): Leadership => {
  const refiller = keys.poolRefiller(appid)
  // A node that comes back under its old name is another one: its former self may still be at work.
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
      // Counted from before the question: here it is never held for longer than Redis holds it.
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
