import { backoffMs } from '@saoma/protocol'

export interface BackOff {
  /**
   * Milliseconds to wait after another failure: doubled each time up to the longest pause, minus a random
   * part of up to half.
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
