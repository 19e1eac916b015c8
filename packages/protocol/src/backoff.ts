/** The bounds of a back-off, in milliseconds. */
export interface Backoff {
  /** Upper bound of the first delay, in milliseconds. */
  baseMs: number
  /** Upper bound of every delay, in milliseconds. */
  capMs: number
  /** Least part of each bound: 0 is full jitter, 0.5 equal jitter. @default 0 */
  least?: number
}

/**
 * Exponential back-off with jitter: milliseconds from 0 (or `least`) up to `baseMs * 2^attempt`, but never
 * more than `capMs`. The jitter spreads the retries of many clients that failed at the same time.
 *
 * @param attempt  counts from 0
 * @param random  returns `[0, 1)`
 *
 * @example
 * ```ts
 * import { backoffMs } from '@saoma/protocol'
 *
 * const limits = { baseMs: 400, capMs: 10_000 }
 * console.log(backoffMs(0, limits, () => 0.5)) // -> 200
 * console.log(backoffMs(3, limits, () => 0.5)) // -> 1600
 * console.log(backoffMs(9, limits, () => 0.5)) // -> 5000
 * ```
 */
export const backoffMs = (
  attempt: number,
  { baseMs, capMs, least = 0 }: Backoff,
  random: () => number = Math.random,
): number => Math.round((least + (1 - least) * random()) * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30)))

/**
 * Waits. Resolves after `ms` milliseconds, or at once when `signal` is aborted. Never rejects.
 *
 * @example
 * ```ts
 * import { pause } from '@saoma/protocol'
 *
 * const leaving = new AbortController()
 * await pause(10, leaving.signal)
 * leaving.abort()
 * await pause(60_000, leaving.signal)
 * console.log('after 10 ms') // -> after 10 ms
 * ```
 */
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
