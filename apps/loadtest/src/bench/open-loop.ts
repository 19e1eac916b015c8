import { setTimeout as delay } from 'node:timers/promises'

/**
 * Calls `act` for one item after another, `perSecond` times a second. It does not wait for earlier calls, so
 * a slow server gets just as many. A late start delays the following ones: catching up would batch them into
 * fewer and cheaper reads and writes. Resolves when all calls are done; rejects with the first failure.
 */
export const openLoop = async <T>(
  items: readonly T[],
  perSecond: number,
  act: (item: T) => Promise<unknown>,
): Promise<void> => {
  const begun: Promise<unknown>[] = []
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => {}) // Both the race and the last await observe it.
  let due = performance.now()
  for (const item of items) {
    due = Math.max(due + 1_000 / perSecond, performance.now())
    await Promise.race([delay(Math.max(0, due - performance.now())), failed.promise])
    const doing = act(item)
    doing.catch(failed.reject)
    begun.push(doing)
  }
  await Promise.all(begun)
}
