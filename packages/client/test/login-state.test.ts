import type { DeviceAuthorization, TicketState } from '@saoma/protocol'
import { isNews, stateOf } from '../src/login/login-state.ts'

const ticket = (status: TicketState['status'], version: number, expiresIn = 0): TicketState => ({
  ticket: 'abcdefghijklmnopqrstuv',
  status,
  version,
  expiresIn,
})

test('the first state is news; a repeat and an older one are not', () => {
  expect(isNews(undefined, ticket('pending', 1))).toBe(true)
  expect(isNews(ticket('pending', 1), ticket('scanned', 2))).toBe(true)
  expect(isNews(ticket('scanned', 2), ticket('scanned', 2))).toBe(false)
  expect(isNews(ticket('confirmed', 3), ticket('scanned', 2))).toBe(false)
})

test('an expiry is news without a higher version but never undoes an end', () => {
  expect(isNews(ticket('pending', 1), ticket('expired', 1))).toBe(true)
  expect(isNews(ticket('rejected', 3), ticket('expired', 3))).toBe(false)
})

test('a display has the code only while it can be used', () => {
  const authorization: DeviceAuthorization = {
    device_code: 'secret',
    user_code: 'BCDF-GHJK',
    verification_uri: 'http://saoma/phone',
    verification_uri_complete: 'http://saoma/phone?ticket=t',
    expires_in: 120,
    interval: 5,
    ticket: 'abcdefghijklmnopqrstuv',
    qr: 'http://saoma/qr',
  }
  const shown = (status: TicketState['status']) => stateOf(authorization, ticket(status, 1, 30), 1_000)
  expect(shown('pending')).toMatchObject({ status: 'waiting', userCode: 'BCDF-GHJK', expiresAt: 31_000 })
  expect(shown('scanned')).toMatchObject({ status: 'scanned', userCode: 'BCDF-GHJK' })
  expect(shown('scanned')).not.toHaveProperty('number')
  expect(stateOf(authorization, { ...ticket('scanned', 2, 30), number: '47' }, 0)).toMatchObject({ number: '47' })
  expect(shown('confirmed')).toEqual({ status: 'confirmed' })
  expect(shown('rejected')).toEqual({ status: 'rejected' })
  expect(shown('expired')).toEqual({ status: 'expired' })
  expect(shown('redeemed')).toEqual({ status: 'expired' })
  expect(JSON.stringify(shown('pending'))).not.toContain('secret')
  // Whether a phone was asked is said where one was to be asked.
  expect(shown('pending')).not.toHaveProperty('pushed')
  expect(stateOf(authorization, ticket('pending', 1, 30), 0, true)).toMatchObject({ pushed: false })
  for (const asks of [true, false])
    expect(stateOf({ ...authorization, pushed: true }, ticket('scanned', 2, 30), 0, asks)).toMatchObject({
      pushed: true,
    })
})
