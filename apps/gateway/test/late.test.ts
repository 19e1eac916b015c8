import { setImmediate as turn } from 'node:timers/promises'
import { onCleanup, until } from '@saoma/testing'
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
    // Its look is overdue, so it is in the next turn.
    await turn()
    await turn()
    return watch.isLate()
  }
  expect([await look(200), await look(200)]).toEqual([false, false])
  // Where the machine is busy a look in between may be in time, and the count begins anew.
  await until(() => look(200), Boolean)
  await until(
    async () => watch.isLate(),
    (late) => !late,
  )
})
