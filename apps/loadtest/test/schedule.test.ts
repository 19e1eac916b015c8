import { createRecorder, decode } from '../src/load/recorder.ts'
import { startSchedule } from '../src/load/schedule.ts'

/** All that is due in the second before `now`, begun at once: nobody looked meanwhile. */
const beginAll = async (options: { perSecond: number; rampMs: number; phase?: number }) => {
  const recorder = createRecorder()
  const due: number[] = []
  const schedule = startSchedule(
    { clock: { now: () => 1_000 }, recorder },
    {
      at: 0,
      phase: 0,
      ...options,
      act: async (dueAt) => {
        due.push(dueAt)
      },
    },
  )
  await schedule.end()
  return { due, recorder }
}

test('each action begins under its due time, however late, and the lateness is counted', async () => {
  const { due, recorder } = await beginAll({ perSecond: 10, rampMs: 0 })
  expect(due).toEqual([0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1_000])
  const late = decode(recorder.take().times.late ?? '')
  expect(late.totalCount).toBe(11)
  expect(late.maxValue / 1_000).toBeCloseTo(1_000, -1)
})

test('the rate rises linearly: half of the actions are due after seven tenths of the ramp', async () => {
  const { due } = await beginAll({ perSecond: 200, rampMs: 1_000 })
  expect(due).toHaveLength(101)
  expect(due[50]).toBeCloseTo(1_000 * Math.SQRT1_2, 6)
})

test('workers that share a rate do not act in step', async () => {
  const [first, second] = await Promise.all([0.5, 1].map((phase) => beginAll({ perSecond: 2, rampMs: 0, phase })))
  expect(first?.due).toEqual([250, 750])
  expect(second?.due).toEqual([500, 1_000])
})

test('an action due while too much is under way is an error and does not wait', async () => {
  const recorder = createRecorder()
  let begun = 0
  const { promise: stalled, resolve } = Promise.withResolvers<void>()
  const schedule = startSchedule(
    { clock: { now: () => 1_000 }, recorder },
    {
      at: 0,
      perSecond: 5_010,
      rampMs: 0,
      phase: 0,
      act: () => {
        begun++
        return stalled
      },
    },
  )
  expect(begun).toBe(5_000)
  expect(recorder.take().errors).toEqual({ 'not begun: 5000 under way': 11 })
  resolve()
  await schedule.end()
})
