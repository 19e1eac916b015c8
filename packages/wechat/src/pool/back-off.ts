export interface BackOff {
  /**
   * Milliseconds to wait after one more failure: doubled each time up to the longest, less up to half by
   * chance.
   */
  next(): number
  reset(): void
}

export const createBackOff = ([firstMs, longestMs]: readonly [firstMs: number, longestMs: number]): BackOff => {
  let failures = 0
  return {
    next: () => Math.round(Math.min(firstMs * 2 ** failures++, longestMs) * (1 - Math.random() / 2)),
    reset: () => {
      failures = 0
    },
  }
}
