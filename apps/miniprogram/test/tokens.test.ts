import { createTokens, wxLoginCode } from '../src/logic/tokens.ts'

test('a silent WeChat keeps nobody waiting for ever', async () => {
  import.meta.jest.useFakeTimers()
  const refused = expect(wxLoginCode({ login: () => {} })).rejects.toThrow('login:fail no answer')
  import.meta.jest.advanceTimersByTime(10_000)
  await refused
})

test('a code that arrives leaves no timer behind', async () => {
  import.meta.jest.useFakeTimers()
  expect(await wxLoginCode({ login: ({ success }) => success({ code: 'c' }) })).toBe('c')
  expect(import.meta.jest.getTimerCount()).toBe(0)
})

test.each([
  ['without a number', undefined, 14_500],
  ['with a number', 'phone-code', 22_500],
])('a token %s is waited for as long as WeChat and the business may need', async (_, code, ms) => {
  import.meta.jest.useFakeTimers()
  const body = { access_token: 'late', token_type: 'Bearer', expires_in: 600, scope: 'openid' }
  const tokens = createTokens({
    ...{ clientId: 'phone', origin: 'http://saoma.test', loginCode: async () => 'c', now: Date.now },
    phoneNumber: { code, settle: () => {}, refuse: () => false, inTurn: (act) => act() },
    fetch: (_url, init) =>
      new Promise((resolve, reject) => {
        setTimeout(() => resolve(Response.json(body)), ms)
        init?.signal?.addEventListener('abort', () => reject(new Error('given up')))
      }),
  })
  const got = tokens.get()
  await import.meta.jest.advanceTimersByTimeAsync(ms)
  expect(await got).toEqual({ ok: true, value: 'late' })
})
