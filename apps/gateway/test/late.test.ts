import { onCleanup } from '@saoma/testing'
import { watchEventLoopLag } from '../src/operate/event-loop-lag.ts'

const EVERY_MS = 5
const LATE_MS = 100

test('a node is late after three late looks in a row, and no longer after one in time', async () => {
  let present = 0
  let looked = () => {}
  const now = () => {
    looked()
    return present
  }
  const watch = watchEventLoopLag({ everyMs: EVERY_MS, lateMs: LATE_MS, now })
  onCleanup(watch.close)
  /** What it says after its next look, which is so much later than it was due. */
  const look = async (lateMs: number): Promise<boolean> => {
    present += EVERY_MS + lateMs
    await new Promise<void>((resolve) => {
      looked = resolve
    })
    return watch.isLate()
  }
  expect([await look(LATE_MS + 1), await look(LATE_MS + 1), await look(LATE_MS + 1)]).toEqual([false, false, true])
  expect(await look(LATE_MS + 1)).toBe(true)
  expect(await look(LATE_MS)).toBe(false)
  expect([await look(LATE_MS + 1), await look(LATE_MS + 1), await look(0)]).toEqual([false, false, false])
})
