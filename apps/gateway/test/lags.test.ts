import { createHistogram } from 'node:perf_hooks'
import { lagsOf, type Turns } from '../src/operate/lags.ts'

/** A histogram of these turns as Node gives it: each step halves what is left, and the last one is 100. */
const turnsOf = (...ms: number[]): Turns => {
  const sorted = ms.toSorted((a, b) => a - b)
  const at = (percentile: number) => (sorted[Math.max(0, Math.ceil((ms.length * percentile) / 100) - 1)] ?? 0) * 1e6
  const percentiles = new Map([[0, at(0)]])
  for (let left = 50; (left * ms.length) / 100 >= 0.5; left /= 2) percentiles.set(100 - left, at(100 - left))
  return { count: ms.length, percentiles: percentiles.set(100, at(100)) }
}
const lags = (turns: Turns, windowMs: number) =>
  lagsOf(turns, windowMs, [50, 99, 100]).map((ms) => Math.round(ms * 1_000) / 1_000)

test('an event loop that waits has no lag', () => {
  expect(lags({ count: 0, percentiles: new Map() }, 15_000)).toEqual([0, 0, 0])
  expect(lags(turnsOf(1, 1, 2), 15_000)).toEqual([0, 0, 2])
})

test('the lag of a moment is what is left of the present turn', () => {
  // Busy all the time in turns of 100 ms: half of all moments have more than 50 ms to wait, and one in a
  // hundred has more than 99.
  expect(lags(turnsOf(...Array.from({ length: 10 }, () => 100)), 1_000)).toEqual([50, 99, 100])
})

test('one long turn counts by its time, however many short ones there are', () => {
  const short = Array.from({ length: 1_000 }, () => 0.1)
  // 400 of 1,000 ms are in it, and 10 ms in all have more than 390 ms to wait.
  expect(lags(turnsOf(...short, 400), 1_000)).toEqual([0, 390, 400])
})

test('turns of several lengths add up', () => {
  // Above 60 ms: 40 of the one. Above 50 ms: 50 of it and 10 of the other.
  const [, p94] = lagsOf(turnsOf(60, 100), 1_000, [96, 94])
  expect(p94).toBeCloseTo(50)
})

test('what Node itself counts is no more than what was', async () => {
  const histogram = createHistogram()
  for (let i = 0; i < 1_000; i++) histogram.record(100_000)
  histogram.record(400_000_000)
  const [p50 = 0, p99 = 0, longest = 0] = lagsOf(histogram, 1_000, [50, 99, 100])
  expect(p50).toBe(0)
  // The buckets of the histogram are exact to three digits.
  expect(p99).toBeGreaterThan(385)
  expect(p99).toBeLessThan(395)
  expect(longest).toBeCloseTo(400, -1)
})
