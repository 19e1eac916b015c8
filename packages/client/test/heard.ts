import type { Listenable } from '../src/core/emitter.ts'

const TIMEOUT_MS = 15_000

/**
 * Waits for events of an object: `await heard<LoginEvents>(login)('state', isExpired)`. Rejects after 15 s.
 */
export const heard =
  <Events extends object>(from: Listenable<Events>) =>
  <K extends keyof Events, T extends Events[K] = Events[K]>(
    event: K,
    matches: (value: Events[K]) => value is T = (_value): _value is T => true,
  ): Promise<T> =>
    new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        clearTimeout(timer)
        off()
        act()
      }
      const off = from.on(event, (value) => {
        if (matches(value)) settle(() => resolve(value))
      })
      const timer = setTimeout(
        () => settle(() => reject(new Error(`no such ${String(event)} within ${TIMEOUT_MS} ms`))),
        TIMEOUT_MS,
      )
    })
