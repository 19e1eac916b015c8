import { createRecorder, type Slice } from '../src/load/recorder.ts'
import { createTimeline } from '../src/load/timeline.ts'

const sliceOf = (second: number, ms: readonly number[], more: Partial<Slice> = {}): Slice => {
  const recorder = createRecorder()
  for (const each of ms) recorder.time('confirm', each)
  recorder.count('logins', ms.length)
  return { second, ...recorder.take(), connected: 10, wanted: 20, ...more }
}

test('slices of one second are combined, and the totals exclude the ramp', () => {
  const timeline = createTimeline({ workers: 2, rampSeconds: 1 })
  timeline.take(sliceOf(0, [900, 900]))
  timeline.take(sliceOf(0, [900, 900]))
  timeline.take(sliceOf(1, [1, 2]))
  timeline.take(sliceOf(1, [3, 100], { refused: { '503 DRAINING': 2 } }))
  expect(timeline.seconds).toMatchObject([
    { second: 0, counts: { logins: 4 }, connected: 20, wanted: 40 },
    { second: 1, counts: { logins: 4 }, connected: 20, wanted: 40 },
  ])
  expect(timeline.seconds[1]?.times.confirm).toMatchObject({ count: 4 })
  expect(timeline.seconds[1]?.times.confirm?.max).toBeCloseTo(100, 0)
  expect(timeline.counts).toEqual({ logins: 8 })
  expect(timeline.refused).toEqual({ '503 DRAINING': 2 })
  const total = timeline.totals.get('confirm')
  expect(total?.totalCount).toBe(4)
  expect((total?.getValueAtPercentile(50) ?? 0) / 1_000).toBeCloseTo(2, 1)
})

test('a stalled worker does not delay the seconds of others, and its own still count', () => {
  const timeline = createTimeline({ workers: 2, rampSeconds: 0 })
  for (let second = 0; second <= 6; second++) timeline.take(sliceOf(second, [1]))
  expect(timeline.seconds.map(({ second }) => second)).toEqual([0, 1])
  timeline.take(sliceOf(0, [500]))
  expect(timeline.totals.get('confirm')?.totalCount).toBe(8)
  timeline.end()
  expect(timeline.seconds).toHaveLength(7)
})
