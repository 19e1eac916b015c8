export interface Backoff {
  /** Upper bound of the first delay. */
  baseMs: number
  /** Upper bound of every delay. */
  capMs: number
  /** Least part of each bound: 0 is full jitter, 0.5 equal jitter. @default 0 */
  least?: number
}

/**
 * Exponential back-off with jitter: up to `baseMs * 2^attempt`. The jitter spreads the retries of many
 * clients that failed at the same time.
 *
 * @param attempt  counts from 0
 * @param random  returns `[0, 1)`
 */
export const backoffMs = (
  attempt: number,
  { baseMs, capMs, least = 0 }: Backoff,
  random: () => number = Math.random,
): number => Math.round((least + (1 - least) * random()) * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30)))

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
