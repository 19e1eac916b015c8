import { backoffMs } from '@saoma/protocol'

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
    next: () => backoffMs(failures++, { baseMs: firstMs, capMs: longestMs, least: 0.5 }),
    reset: () => {
      failures = 0
    },
  }
}
