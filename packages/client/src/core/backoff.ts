export { type Backoff as BackoffOptions, backoffMs, pause } from '@saoma/protocol'

/** Resolves when the function that it adds to `waiting` is called, or after `ms`. */
export const soon = (waiting: Set<() => void>, ms: number): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      waiting.delete(done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    waiting.add(done)
  })
