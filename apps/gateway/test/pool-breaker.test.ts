import { createCircuitBreaker } from '../src/login/qr/circuit-breaker.ts'
import { createClock } from './clock.ts'

test('the breaker admits everybody until a failure, then one caller after each pause', () => {
  const clock = createClock()
  const switches: boolean[] = []
  const breaker = createCircuitBreaker(30, (isOpen) => switches.push(isOpen), clock.now)
  expect([breaker.admits(), breaker.admits()]).toEqual([true, true])
  breaker.failed()
  for (let round = 0; round < 2; round++) {
    clock.pass(29)
    expect(breaker.admits()).toBe(false)
    clock.pass(1)
    expect([breaker.admits(), breaker.admits()]).toEqual([true, false])
  }
  breaker.succeeded()
  expect([breaker.admits(), breaker.admits()]).toEqual([true, true])
  expect(switches).toEqual([true, false])
})
