import type { Answer } from '@saoma/client'
import type { TokenSet } from '@saoma/protocol'
import { createPhone } from '../src/phone/phone.ts'

test('whom the business refuses reads its sentence on the demo phone', async () => {
  const none = () => Promise.reject(new Error('nothing else is asked'))
  const refused = (detail?: string) => async (): Promise<Answer<TokenSet>> => ({
    ok: false,
    code: 'ACCOUNT_REFUSED',
    react: 'stop',
    message: detail ?? 'The application does not admit you.',
    ...(detail ? { detail } : {}),
  })
  const phoneOf = (signIn: () => Promise<Answer<TokenSet>>) =>
    createPhone({ signIn, find: none, scan: none, decide: none, requests: none, report: none }, undefined, () => {})
  const phone = phoneOf(refused('Please sign up first.'))
  await phone.choose('Eve')
  expect(phone.screen).toEqual({ status: 'failed', code: 'ACCOUNT_REFUSED', detail: 'Please sign up first.' })
  const curt = phoneOf(refused())
  await curt.choose('Eve')
  expect(curt.screen).toEqual({ status: 'failed', code: 'ACCOUNT_REFUSED' })
})
