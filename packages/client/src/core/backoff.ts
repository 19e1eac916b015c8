export interface BackoffOptions {
  /** Upper bound of the first delay. */
  baseMs: number
  /** Upper bound of every delay. */
  capMs: number
}

/**
 * Full jitter: anything between nothing and `base * 2^attempt`, so that the clients of a node that went away
 * do not come back in one wave. `attempt` counts from 0; `random` gives `[0, 1)`.
 */
export const backoffMs = (attempt: number, { baseMs, capMs }: BackoffOptions, random: () => number): number =>
  Math.round(random() * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30)))

/** Resolves after `ms`, or at once when `signal` is aborted. Never rejects. */
export const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })

/** Resolves when somebody calls what it puts into `waiting`, or after `ms`. */
export const soon = (waiting: Set<() => void>, ms: number): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      waiting.delete(done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    waiting.add(done)
  })
