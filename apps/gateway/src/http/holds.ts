import type { Context } from 'koa'
import type { Metrics } from '../metrics.ts'

/** Requests that are held on purpose. Each gets a signal that fires when its client is gone or the node is drained. */
export interface Holds {
  /** Runs `work` with that signal. */
  hold<T>(ctx: Context, work: (signal: AbortSignal) => Promise<T>): Promise<T>
  /** Makes every held request answer now, and every later one at once. */
  release(): void
}

export const createHolds = (metrics: Metrics): Holds => {
  const drained = new AbortController()
  let waiting = 0
  return {
    hold: async ({ res, state }, work) => {
      state.held = true
      const left = new AbortController()
      res.once('close', () => left.abort())
      // A client that is gone already will not be gone again.
      if (res.destroyed) left.abort()
      metrics.longPolls.set(++waiting)
      try {
        return await work(AbortSignal.any([left.signal, drained.signal]))
      } finally {
        metrics.longPolls.set(--waiting)
      }
    },
    release: () => drained.abort(),
  }
}
