import { every } from '@saoma/redis'

/** Interval of the checks. */
const EVERY_MS = 1_000
/** A larger delay counts as late. */
const LATE_MS = 500
/** Consecutive late checks. One garbage collection or burst of handshakes is no reason for a warning. */
const LOOKS = 3

interface LatenessOptions {
  everyMs?: number
  lateMs?: number
  /** The clock, in milliseconds; its zero is arbitrary. @default performance.now */
  now?: () => number
}

/** Detects an event loop that is late several times in a row. `/readyz` reports it as a warning. */
export const watchEventLoopLag = (options: LatenessOptions = {}) => {
  const { everyMs = EVERY_MS, lateMs = LATE_MS, now = () => performance.now() } = options
  let due = now() + everyMs
  let lateLooks = 0
  const close = every(everyMs, () => {
    const present = now()
    lateLooks = present - due > lateMs ? lateLooks + 1 : 0
    due = present + everyMs
  })
  return {
    isLate: (): boolean => lateLooks >= LOOKS,
    close,
  }
}
