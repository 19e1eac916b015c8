import { createConcurrencyQuota } from '../../access/concurrency-quota.ts'
import type { Metrics } from '../../operate/metrics.ts'
import type { Context } from './context.ts'

/** The caller has as many held requests as allowed. */
export class TooManyHeld extends Error {
  override name = 'TooManyHeld'
}

/**
 * Requests that are held on purpose. Each gets a signal that aborts when
 * its client leaves or the request is released.
 */
export interface HeldRequests {
  /** Number of held requests. */
  readonly size: number
  /**
   * Runs `work` with that signal. Rejects with TooManyHeld, before anything is answered, if an authenticated
   * caller has too many held requests.
   */
  hold<T>(ctx: Context, work: (signal: AbortSignal) => Promise<T>): Promise<T>
  /** Makes the `count` oldest held requests answer now. */
  release(count: number): void
  /** Makes every held request answer now, and later ones immediately. */
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
      // A browser that waits for its login is not authenticated yet.
      const who = state.caller?.ok ? state.caller.value : undefined
      const leave = who ? crowd.enter(who) : () => {}
      if (!leave) {
        metrics.limited.inc({ what: 'held' })
        throw new TooManyHeld()
      }
      state.held = true
      const done = new AbortController()
      res.once('close', () => done.abort())
      // A client that has already left emits no further `close`.
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
