/**
 * Milliseconds from any beginning, by a clock that nobody sets: for how long something takes. WeChat's
 * JavaScript has none of that kind.
 */
export const now = (): number => (typeof performance === 'undefined' ? Date.now() : performance.now())
