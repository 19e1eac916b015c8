import { setTimeout as delay } from 'node:timers/promises'

/**
 * Begins `act` for one item after the other, `perSecond` a second, whether or not earlier ones are done: a
 * slow server gets no fewer. One that is begun late moves those behind it: catching up would bundle them into
 * fewer and cheaper reads and writes. Resolves when all are done; rejects with what failed first.
 */
export const openLoop = async <T>(
  items: readonly T[],
  perSecond: number,
  act: (item: T) => Promise<unknown>,
): Promise<void> => {
  const begun: Promise<unknown>[] = []
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => {}) // It is looked at between two items, and at the end.
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
