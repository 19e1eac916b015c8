import type { TicketState } from '@saoma/protocol'
import { LRUCache } from 'lru-cache'
import type { Metrics } from '../operate/metrics.ts'

/**
 * Times how long a confirm takes to a browser. Every confirm goes through Redis, also to a browser of the
 * node that it came to: only those are timed, from beginning to end by one clock. A time of Redis against a
 * node's clock would measure how wrong the clocks are.
 */
export interface ConfirmLatency {
  /** A confirm is about to be written. */
  begin(ticket: string): void
  /** A browser of this node was told of a transition. */
  told(state: TicketState): void
}

/** Confirms whose event may still come. */
const MOST = 1_000
/**
 * An event that has not come by then went to another node, or was there already: a confirm may be repeated.
 */
const PATIENCE_MS = 5_000

export const createConfirmLatency = ({ pushes }: Pick<Metrics, 'pushes'>): ConfirmLatency => {
  const begun = new LRUCache<string, number>({ max: MOST, ttl: PATIENCE_MS })
  return {
    begin: (ticket) => {
      if (!begun.has(ticket)) begun.set(ticket, performance.now())
    },
    told: ({ ticket, status }) => {
      const at = status === 'confirmed' && begun.size > 0 ? begun.get(ticket) : undefined
      if (at === undefined) return
      begun.delete(ticket)
      pushes.observe((performance.now() - at) / 1_000)
    },
  }
}
