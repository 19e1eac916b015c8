import type { Metrics } from '../metrics.ts'

/** Requests that are held on purpose. Each gets a signal that fires when its client is gone or the node is drained. */
export interface Holds {
  /** Runs `work` with that signal. */
  hold<T>(
    gone: { once(event: 'close', listener: () => void): unknown },
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T>
  /** Makes every held request answer now, and every later one at once. */
  release(): void
}

export const createHolds = (metrics: Metrics): Holds => {
  const drained = new AbortController()
  let waiting = 0
  return {
    hold: async (gone, work) => {
      const left = new AbortController()
      gone.once('close', () => left.abort())
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
