/** A circuit breaker. While it is open, one call in `pauseMs` is let through as a probe. */
export interface CircuitBreaker {
  /** Whether a call may be made. While the breaker is open, it admits one caller after each pause. */
  admits(): boolean
  succeeded(): void
  failed(): void
}

/**
 * @param onSwitch  called when the breaker opens and when it closes
 * @param now  the clock, in milliseconds; its zero is arbitrary
 */
export const createCircuitBreaker = (
  pauseMs: number,
  onSwitch: (isOpen: boolean) => void = () => {},
  now: () => number = () => performance.now(),
): CircuitBreaker => {
  let closedUntil: number | undefined
  const pause = () => {
    closedUntil = now() + pauseMs
  }
  return {
    admits: () => {
      if (closedUntil === undefined) return true
      if (now() < closedUntil) return false
      pause()
      return true
    },
    succeeded: () => {
      if (closedUntil !== undefined) onSwitch(false)
      closedUntil = undefined
    },
    failed: () => {
      if (closedUntil === undefined) onSwitch(true)
      pause()
    },
  }
}
