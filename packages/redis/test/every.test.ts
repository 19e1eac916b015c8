import { every } from '../src/every.ts'

beforeEach(() => {
  import.meta.jest.useFakeTimers()
})
afterEach(() => {
  import.meta.jest.useRealTimers()
})
const pass = (ms: number) => import.meta.jest.advanceTimersByTime(ms)

test('work of whole seconds shares one timer, and each keeps its interval', () => {
  const runs = { one: 0, two: 0, five: 0 }
  const stops = [every(1_000, () => runs.one++), every(2_000, () => runs.two++), every(5_000, () => runs.five++)]
  expect(import.meta.jest.getTimerCount()).toBe(1)
  pass(60_000)
  expect(runs).toEqual({ one: 60, two: 29, five: 11 })
  for (const stop of stops) stop()
  expect(import.meta.jest.getTimerCount()).toBe(0)
  pass(60_000)
  expect(runs).toEqual({ one: 60, two: 29, five: 11 })
})

test('nothing runs before its time, whenever the shared timer began', () => {
  const first = every(1_000, () => {})
  pass(900)
  let runs = 0
  const second = every(1_000, () => runs++)
  pass(999)
  expect(runs).toBe(0)
  pass(1_001)
  expect(runs).toBe(1)
  first()
  second()
})

test('work of other intervals has a timer of its own', () => {
  let runs = 0
  const stop = every(150, () => runs++)
  pass(1_500)
  expect(runs).toBe(10)
  stop()
  pass(1_500)
  expect(runs).toBe(10)
  expect(import.meta.jest.getTimerCount()).toBe(0)
})

test('work that stops itself or others in its turn is safe', () => {
  const runs: string[] = []
  const stops: (() => void)[] = []
  stops.push(
    every(1_000, () => {
      runs.push('a')
      for (const stop of stops) stop()
    }),
    every(1_000, () => runs.push('b')),
  )
  pass(10_000)
  expect(runs).toEqual(['a'])
})
