import { setTimeout as delay } from 'node:timers/promises'
import { onCleanup } from '@saoma/testing'
import { watchLateness } from '../src/late.ts'

/** Keeps the event loop from everything else. */
const block = (ms: number): void => {
  const until = performance.now() + ms
  while (performance.now() < until);
}

test('a node is late when its event loop was so three times in a row, and no longer when it is in time again', async () => {
  const watch = watchLateness({ everyMs: 20, lateMs: 100 })
  onCleanup(watch.close)
  const look = async (blockedMs: number) => {
    block(blockedMs)
    // The look comes in the turn after, before this one.
    await delay(0)
    return watch.isLate()
  }
  expect([await look(200), await look(200)]).toEqual([false, false])
  expect(await look(200)).toBe(true)
  while (watch.isLate()) await delay(1)
})
