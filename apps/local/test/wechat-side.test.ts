import { assertFits, wechatSettings } from '../src/wechat-side.ts'

test.each([
  [{ SAOMA_DEMO: 'true' }, true, 'SAOMA_DEMO=true does not go with --wechat.'],
  [{ SAOMA_DEMO: 'false' }, false, 'leave SAOMA_DEMO out: npm start -- --wechat'],
  [{ SAOMA_CODES: 'pool' }, false, 'SAOMA_CODES=pool needs codes that WeChat draws: npm start -- --wechat'],
])('%j with --wechat %s is not overridden silently', (own, wechat, sentence) => {
  expect(() => assertFits(own, wechat)).toThrow(sentence)
})

test.each([
  [{ SAOMA_DEMO: 'true', SAOMA_CODES: 'fresh' }, false],
  [{ SAOMA_DEMO: 'false', SAOMA_CODES: 'pool' }, true],
  [{}, true],
])('%j goes with --wechat %s', (own, wechat) => {
  expect(() => assertFits(own, wechat)).not.toThrow()
})

test('the person chooses the codes and their store; the default is WeChat, then the pool', () => {
  const own = { SAOMA_CODES: 'pool', SAOMA_POOL_STORE: 's3://mine' }
  expect(wechatSettings(own, '/codes')).toEqual({ ...own, SAOMA_DEMO: 'false' })
  expect(wechatSettings({}, '/codes')).toEqual({
    SAOMA_CODES: 'fresh-then-pool',
    SAOMA_POOL_STORE: '/codes',
    SAOMA_DEMO: 'false',
  })
})
