/** Milliseconds of a monotonic clock, for measuring durations. WeChat's JavaScript has no such clock. */
export const now = (): number => (typeof performance === 'undefined' ? Date.now() : performance.now())
