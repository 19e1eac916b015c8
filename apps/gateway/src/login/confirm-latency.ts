import type { TicketState } from '@saoma/protocol'
import { LRUCache } from 'lru-cache'
import type { Metrics } from '../operate/metrics.ts'

/**
 * Measures how long a confirm takes to reach the browser. Every confirm goes through Redis, even if the
 * browser is on the same node. Only confirms to browsers of the same node are measured, because one clock
 * then times both ends. Comparing the times of two machines would measure the error of their clocks.
 */
export interface ConfirmLatency {
  /** Call it before a confirm is written. */
  begin(ticket: string): void
  /** Call it when a browser of this node received a transition. */
  told(state: TicketState): void
}

/** Most confirms that wait for their event. */
const MOST = 1_000
/**
 * How long to wait for the event. Later it will not come: the browser is
 * on another node, or the confirm was a repetition.
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
