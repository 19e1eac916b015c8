/** Bounds an operation by signals and time. */
export interface Bound {
  readonly signal: AbortSignal
  /** The operation is done: removes the timer and the listeners. */
  release(): void
}

/**
 * A signal that aborts when one of the signals does, or after the timeout. `AbortSignal.any` and
 * `AbortSignal.timeout` do less, and are missing in browsers that are still in use (Safari before 17.4).
 * Call `release` when the operation is over.
 *
 * @param signals  undefined ones are left out
 * @param timeoutMs  milliseconds from now. @default no bound
 *
 * @example
 * ```ts
 * import { boundBy } from '@saoma/client'
 *
 * const leaving = new AbortController()
 * const bound = boundBy([leaving.signal], 10_000)
 * const response = await fetch('https://login.example.com/oidc/jwks', { signal: bound.signal })
 * bound.release()
 * console.log(response.status) // -> 200
 * ```
 */
export const boundBy = (signals: readonly (AbortSignal | undefined)[], timeoutMs?: number): Bound => {
  const bound = new AbortController()
  const end = () => bound.abort()
  const timer = timeoutMs === undefined ? undefined : setTimeout(end, timeoutMs)
  for (const signal of signals) {
    if (signal?.aborted) end()
    signal?.addEventListener('abort', end)
  }
  return {
    signal: bound.signal,
    release: () => {
      clearTimeout(timer)
      for (const signal of signals) signal?.removeEventListener('abort', end)
    },
  }
}
