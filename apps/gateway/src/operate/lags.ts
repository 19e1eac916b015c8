/** Turns of the event loop, as `monitorEventLoopDelay` counts them. */
export interface Turns {
  readonly count: number
  /** Nanoseconds by percentile, rising. */
  readonly percentiles: ReadonlyMap<number, number>
}

/**
 * How late a timer finds the event loop that is due at any moment of a window: at once if the loop waits, and
 * else when the present turn is over. The percentiles are of moments and not of turns, because one long turn
 * among a thousand short ones may take most of the time.
 *
 * @returns milliseconds for each percentile
 */
export const lagsOf = (turns: Turns, windowMs: number, percentiles: readonly number[]): number[] => {
  let before = 0
  const groups = [...turns.percentiles].map(([percentile, ns]) => {
    // A percentile is that of a whole number of turns. Percentiles are inexact by the last digits.
    const upTo = Math.ceil((turns.count * percentile) / 100 - 1e-6)
    const count = upTo - before
    before = upTo
    return { count, ms: ns / 1e6 }
  })
  const longestFirst = groups.filter(({ count }) => count > 0).reverse()
  /** The lag that turns exceed for `ms` in all. */
  const lagExceededFor = (ms: number): number => {
    let count = 0
    let sum = 0
    for (const [i, turn] of longestFirst.entries()) {
      count += turn.count
      sum += turn.count * turn.ms
      const lag = (sum - ms) / count
      if (lag >= (longestFirst[i + 1]?.ms ?? 0)) return lag
    }
    return 0
  }
  return percentiles.map((percentile) => lagExceededFor(windowMs * (1 - percentile / 100)))
}
