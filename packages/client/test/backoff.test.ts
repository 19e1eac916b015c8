import { startAwake } from '@saoma/testing'
import { backoffMs, pause } from '../src/core/backoff.ts'
import { RECONNECT } from '../src/core/connection.ts'

const options = { baseMs: 100, capMs: 1_000 }

test('a delay is anything from zero to its bound', () => {
  expect(backoffMs(2, options, () => 0)).toBe(0)
  expect(backoffMs(2, options, () => 0.5)).toBe(200)
  expect(backoffMs(2, options, () => 1)).toBe(400)
})

test('the bound doubles with each attempt and stops at the cap', () => {
  const bounds = [0, 1, 2, 3, 4, 5, 1_000].map((attempt) => backoffMs(attempt, options, () => 1))
  expect(bounds).toEqual([100, 200, 400, 800, 1_000, 1_000, 1_000])
})

test('a pause ends at once when its work is aborted, before or during it', async () => {
  const awake = startAwake()
  const giveUp = new AbortController()
  const pausing = pause(600_000, giveUp.signal)
  giveUp.abort()
  await pausing
  await pause(600_000, giveUp.signal)
  expect(awake.stop()).toBeLessThan(10_000)
})

test('a lost connection is tried three times within five seconds', () => {
  const waits = [0, 1, 2].map((attempt) => backoffMs(attempt, RECONNECT, () => 1))
  expect(waits.reduce((sum, ms) => sum + ms, 0)).toBeLessThan(5_000)
})
