import { createConcurrencyQuota } from '../../access/concurrency-quota.ts'
import type { Metrics } from '../../operate/metrics.ts'
import type { Context } from './context.ts'

/** Somebody has as many requests held as they may. */
export class TooManyHeld extends Error {
  override name = 'Crowded'
}

/**
 * Requests that are held on purpose. Each gets a signal that fires when its client is gone or it is released.
 */
export interface HeldRequests {
  /** How many there are now. */
  readonly size: number
  /**
   * Runs `work` with that signal. Rejects with Crowded, before anything is answered, when whoever is known to
   * ask has too many held.
   */
  hold<T>(ctx: Context, work: (signal: AbortSignal) => Promise<T>): Promise<T>
  /** Makes the `count` requests that are held longest answer now. */
  release(count: number): void
  /** Makes every held request answer now, and every later one at once. */
  close(): void
}

/** A person has a few devices with a few pages each, a backend some dozens of processes. */
const MOST = { person: 50, backend: 200 }

export const createHeldRequests = (metrics: Metrics): HeldRequests => {
  const held = new Set<AbortController>()
  const crowd = createConcurrencyQuota(MOST)
  let closed = false
  return {
    get size() {
      return held.size
    },
    hold: async ({ res, state }, work) => {
      // Who waits for a login is nobody yet.
      const who = state.caller?.ok ? state.caller.value : undefined
      const leave = who ? crowd.enter(who) : () => {}
      if (!leave) {
        metrics.limited.inc({ what: 'held' })
        throw new TooManyHeld()
      }
      state.held = true
      const done = new AbortController()
      res.once('close', () => done.abort())
      // A client that is gone already will not be gone again.
      if (res.destroyed || closed) done.abort()
      held.add(done)
      metrics.longPolls.set(held.size)
      try {
        return await work(done.signal)
      } finally {
        held.delete(done)
        metrics.longPolls.set(held.size)
        leave()
      }
    },
    release: (count) => {
      let left = count
      for (const done of held) {
        if (left-- <= 0) return
        held.delete(done)
        done.abort()
      }
    },
    close: () => {
      closed = true
      for (const done of held) done.abort()
    },
  }
}
