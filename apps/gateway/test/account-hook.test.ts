import { createAccountHook } from '../src/login/account-hook.ts'
import { createLog } from '../src/operate/log.ts'
import { type BusinessServer, json, startBusinessServer } from './business-server.ts'

const log = createLog({ level: 'silent', node: 'test' })
const identity = { provider: 'demo', app: '', id: 'ann' } as const
const question = { identity, from: '203.0.113.7' }

const serve = async (answer: BusinessServer['answer'], when: 'birth' | 'login') => {
  const server = await startBusinessServer(answer)
  const secret = 'sixteen characters'
  return { server, hook: createAccountHook({ url: server.url, secret, when, ownClaims: [] }, log) }
}

test('asked at birth it hears of nobody who has an account', async () => {
  const { server, hook } = await serve(json({ allow: true }), 'birth')
  expect(await hook.decide(question, { isNew: false, sub: 's' })).toBeUndefined()
  expect(await hook.decide(question, { isNew: true })).toEqual({ allow: true })
  // An account that was lost is born again.
  expect(await hook.decide(question, { isNew: true, sub: 's' })).toEqual({ allow: true })
  expect(server.questions.map(({ body }) => body)).toEqual([
    { action: 'birth', identity },
    { action: 'birth', identity, sub: 's' },
  ])
})

test('asked at each login it is told the sub, and may say no', async () => {
  const { server, hook } = await serve(json({ allow: false, detail: 'Your contract has ended.' }), 'login')
  expect(await hook.decide(question, { isNew: false, sub: 's' })).toEqual({
    allow: false,
    why: 'ACCOUNT_REFUSED',
    detail: 'Your contract has ended.',
  })
  expect(server.questions[0]?.body).toEqual({ action: 'login', identity, sub: 's' })
})

test('it is told the number that WeChat has told', async () => {
  const { server, hook } = await serve(json({ allow: true }), 'birth')
  await hook.decide({ ...question, phoneNumber: '+8613800138000' }, { isNew: true })
  expect(server.questions[0]?.body).toEqual({ action: 'birth', identity, phone_number: '+8613800138000' })
})

test('a business that is down is asked again only after a pause, and never counts as a yes', async () => {
  const { server, hook } = await serve(json({}, 503), 'login')
  const no = { allow: false, why: 'BACKEND_UNAVAILABLE' }
  expect(await hook.decide(question, { isNew: true })).toEqual(no)
  expect(await hook.decide(question, { isNew: true })).toEqual(no)
  expect(server.questions).toHaveLength(1)
})
