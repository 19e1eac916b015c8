/** Between two looks. */
const EVERY_MS = 1_000
/** More than this is late. */
const LATE_MS = 500
/** Looks in a row: a garbage collection or a burst of handshakes is no reason to send people elsewhere. */
const LOOKS = 3

interface LatenessOptions {
  everyMs?: number
  lateMs?: number
  /** The clock, in milliseconds from any beginning. @default performance.now */
  now?: () => number
}

/**
 * Tells whether the event loop has been late again and again: a node that should not be given more for a
 * while.
 */
export const watchEventLoopLag = (options: LatenessOptions = {}) => {
  const { everyMs = EVERY_MS, lateMs = LATE_MS, now = () => performance.now() } = options
  let due = now() + everyMs
  let lateLooks = 0
  const timer = setInterval(() => {
    const present = now()
    lateLooks = present - due > lateMs ? lateLooks + 1 : 0
    due = present + everyMs
  }, everyMs).unref()
  return {
    isLate: (): boolean => lateLooks >= LOOKS,
    close: (): void => clearInterval(timer),
  }
}
