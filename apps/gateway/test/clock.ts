/**
 * A clock that stands still until it is told otherwise. Some caches take 0 for no time at all, so it begins
 * later.
 */
export const createClock = () => {
  let present = 1_000_000
  return {
    now: () => present,
    pass: (ms: number): void => {
      present += ms
    },
  }
}
