const TICK_MS = 10
/** In a longer pause other processes had the processor. */
const MOST_MS = 2 * TICK_MS

/**
 * Measures the time that this process actually got. On a busy machine it is less than the wall-clock time.
 */
export const startAwake = (): { stop(): number } => {
  let awake = 0
  let last = performance.now()
  const count = () => {
    const now = performance.now()
    awake += Math.min(now - last, MOST_MS)
    last = now
  }
  const timer = setInterval(count, TICK_MS)
  return {
    /** @returns milliseconds */
    stop: () => {
      clearInterval(timer)
      count()
      return awake
    },
  }
}
