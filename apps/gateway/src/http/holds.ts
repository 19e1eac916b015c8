import type { Context } from 'koa'
import { createCrowd } from '../live/crowd.ts'
import type { Principal } from '../live/principal.ts'
import type { Metrics } from '../metrics.ts'

/** Somebody has as many requests held as they may. */
export class Crowded extends Error {
  override name = 'Crowded'
}

/** Requests that are held on purpose. Each gets a signal that fires when its client is gone or the node is drained. */
export interface Holds {
  /** Runs `work` with that signal. Rejects with Crowded, before anything is answered, when whoever is known to ask has too many held. */
  hold<T>(ctx: Context, work: (signal: AbortSignal) => Promise<T>): Promise<T>
  /** Makes every held request answer now, and every later one at once. */
  release(): void
}

/** A person has a few devices with a few pages each, a backend some dozens of processes. */
const MOST = { person: 50, backend: 200 }

export const createHolds = (metrics: Metrics): Holds => {
  const drained = new AbortController()
  const crowd = createCrowd(MOST)
  let waiting = 0
  return {
    hold: async ({ res, state }, work) => {
      // Who waits for a login is nobody yet.
      const { who } = state as { who?: Principal }
      const leave = who ? crowd.enter(who) : () => {}
      if (!leave) {
        metrics.limited.inc({ what: 'held' })
        throw new Crowded()
      }
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
        leave()
      }
    },
    release: () => drained.abort(),
  }
}
