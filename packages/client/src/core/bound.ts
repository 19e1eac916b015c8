/** What ends a piece of work. */
export interface Bound {
  readonly signal: AbortSignal
  /** The work is done: nothing is waited for any more. */
  release(): void
}

/**
 * Fires when one of the signals does, or when the time is over. `AbortSignal.any` and `AbortSignal.timeout`
 * do less, and are missing in browsers that people have (Safari before 17.4).
 * @param timeoutMs  milliseconds from now. @default no bound
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
