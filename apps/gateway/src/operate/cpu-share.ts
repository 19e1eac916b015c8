import { every } from '@saoma/redis'

/** As long as the window of the event loop's metrics. */
const WINDOW_MS = 15_000

/**
 * Measures how much of one core this process takes: over the last whole window, and over the time so far
 * during the first.
 */
export const watchCpu = (windowMs = WINDOW_MS) => {
  const look = () => ({ at: performance.now(), used: process.cpuUsage() })
  let before = look()
  let last: number | undefined
  const share = (): number => {
    const { user, system } = process.cpuUsage(before.used)
    const ms = performance.now() - before.at
    return ms > 0 ? (user + system) / 1_000 / ms : 0
  }
  const close = every(windowMs, () => {
    last = share()
    before = look()
  })
  return { share: () => last ?? share(), close }
}
