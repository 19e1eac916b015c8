import { onCleanup } from '@saoma/testing'

/** All visitors live in this process. When it stands still, so do they, and that is not the nodes' doing. */
const STALL_MS = 500

/**
 * Moments (ms since 1970) at which this process had stood still, so that whoever should have acted meanwhile
 * did so at once.
 */
export const watchStalls = (): number[] => {
  const stalls: number[] = []
  let last = performance.now()
  const timer = setInterval(() => {
    const now = performance.now()
    if (now - last > STALL_MS) stalls.push(Date.now())
    last = now
  }, 50)
  onCleanup(() => clearInterval(timer))
  return stalls
}

/** Most of these moments that fall into one second. */
export const busiestSecond = (times: readonly number[]): number => {
  const sorted = times.toSorted((a, b) => a - b)
  return Math.max(0, ...sorted.map((from, i) => sorted.findLastIndex((time) => time < from + 1_000) - i + 1))
}
