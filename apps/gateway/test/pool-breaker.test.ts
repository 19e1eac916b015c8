import { until } from '@saoma/testing'
import { createBreaker } from '../src/codes/breaker.ts'

test('it admits everybody until a failure, then nobody, and after the pause one at a time', async () => {
  const breaker = createBreaker(30)
  expect([breaker.admits(), breaker.admits()]).toEqual([true, true])
  breaker.failed()
  expect(breaker.admits()).toBe(false)
  const pause = async () => {
    const began = performance.now()
    await until(
      () => new Promise<boolean>((resolve) => setImmediate(() => resolve(performance.now() - began >= 31))),
      Boolean,
    )
  }
  await pause()
  expect([breaker.admits(), breaker.admits()]).toEqual([true, false])
  await pause()
  expect([breaker.admits(), breaker.admits()]).toEqual([true, false])
  breaker.succeeded()
  expect([breaker.admits(), breaker.admits()]).toEqual([true, true])
})
