/**
 * Keeps callers from somebody who just failed: while he is left alone, one in `pauseMs` finds out whether he
 * is back.
 */
export interface CircuitBreaker {
  /**
   * Whether he may be asked. A yes after a pause is given to one caller, the next one waits as long again.
   */
  admits(): boolean
  succeeded(): void
  failed(): void
}

/**
 * @param onSwitch  told when it begins, and when it ends, to keep callers away
 * @param now  the clock, in milliseconds from any beginning
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
