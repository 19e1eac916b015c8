import { lagsOf, type Turns } from '../src/operate/lags.ts'

/** A histogram of these turns, each with its percentile. */
const turnsOf = (...ms: number[]): Turns => ({
  count: ms.length,
  percentiles: new Map(
    ms.toSorted((a, b) => a - b).map((each, i) => [((i + 1) / ms.length) * 100, each * 1e6] as const),
  ),
})
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
