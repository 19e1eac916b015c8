/** The simulator's time: the machine's, moved forward by as much as a test asks for. */
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
