export { type Backoff as BackoffOptions, backoffMs, pause } from '@saoma/protocol'

/** Resolves when somebody calls what it puts into `waiting`, or after `ms`. */
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
