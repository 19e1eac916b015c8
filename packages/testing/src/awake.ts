const TICK_MS = 10
/** A longer pause is one in which the machine let others run. */
const MOST_MS = 2 * TICK_MS

/**
 * Times a piece of work by what this process was given of it: on a machine that is busy elsewhere less than
 * the clock's.
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
