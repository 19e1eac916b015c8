import { LRUCache } from 'lru-cache'
import type { Metrics } from '../operate/metrics.ts'

/**
 * Times how long a confirm takes to a browser. Every confirm goes through Redis, also to a browser of the
 * node that it came to: only those are timed, from beginning to end by one clock. A time of Redis against a
 * node's clock would measure how wrong the clocks are.
 */
export interface ConfirmLatency {
  /**
   * A confirm is about to be written; its event will come over this channel if anybody here listens to it.
   */
  begin(channel: string): void
  /** To be told of every message after the sockets were. */
  heard(channel: string, payload: Buffer): void
}

/** Confirms whose event may still come. */
const MOST = 1_000
/**
 * An event that has not come by then went to another node, or was there already: a confirm may be repeated.
 */
const PATIENCE_MS = 5_000
const CONFIRMED = '"status":"confirmed"'

export const createConfirmLatency = ({ pushes }: Pick<Metrics, 'pushes'>): ConfirmLatency => {
  const begun = new LRUCache<string, number>({ max: MOST, ttl: PATIENCE_MS })
  return {
    begin: (channel) => {
      if (!begun.has(channel)) begun.set(channel, performance.now())
    },
    heard: (channel, payload) => {
      const at = begun.size > 0 ? begun.get(channel) : undefined
      if (at === undefined || !payload.includes(CONFIRMED)) return
      begun.delete(channel)
      pushes.observe((performance.now() - at) / 1_000)
    },
  }
}
