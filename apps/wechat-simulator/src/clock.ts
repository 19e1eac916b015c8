/** The simulator's time: the machine's clock plus the offset that a test sets. */
export const createClock = (now: () => number = Date.now) => {
  let aheadMs = 0
  return {
    /** Milliseconds since 1970. */
    now: () => now() + aheadMs,
    advance: (ms: number): void => {
      aheadMs += ms
    },
  }
}

export type Clock = ReturnType<typeof createClock>
