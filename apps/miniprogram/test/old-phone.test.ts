import { createWxFetch } from '@saoma/client/wx'
import { createTicket, startCluster } from '@saoma/testing'
import { isTooOld } from '../src/logic/base-library.ts'
import { typed } from '../src/logic/code.ts'
import { scanned, startPhone } from './phone.ts'

const OLD = { language: 'en', SDKVersion: '2.16.0' }

test.each([
  ['2.9.2', true],
  ['2.9', true],
  ['1.12.4', true],
  ['2.9.3', false],
  ['2.10.0', false],
  ['3.8.10', false],
  ['what', true],
  [undefined, false],
])('the base library %s is too old: %s', (version, expected) => {
  expect(isTooOld(version === undefined ? {} : { SDKVersion: version })).toBe(expected)
})

test('codes changed by keyboards are read without String.prototype.normalize', () => {
  const { normalize } = String.prototype
  Reflect.deleteProperty(String.prototype, 'normalize')
  try {
    expect(typed(' ｂｃｄｆ－ＧＨＪＫ　')).toBe('BCDF-GHJK')
  } finally {
    Object.defineProperty(String.prototype, 'normalize', { value: normalize, writable: true, configurable: true })
  }
})

test('an answer without headers is an answer', async () => {
  const fetch = createWxFetch({
    request: ({ success }) => {
      queueMicrotask(() => success?.({ data: '{"a":1}', statusCode: 200 }))
      return { abort: () => {} }
    },
  })
  const answer = await fetch('https://login.example.com/')
  expect([answer.status, answer.headers.get('retry-after'), await answer.json()]).toEqual([200, null, { a: 1 }])
})

test('a person logs in with a WeChat that has only the older functions', async () => {
  const cluster = await startCluster({ nodes: 1 })
  const phone = startPhone(cluster, 'Ada', {
    node: 0,
    wrap: ({ getAppBaseInfo: _, ...wx }) => ({ ...wx, getSystemInfoSync: () => OLD }),
  })
  expect(phone.program.text.language).toBe('en')
  const { ticket } = await createTicket(cluster.origin)
  const login = phone.login(scanned(ticket))
  await login.reaches('asking')
  login.page.confirm()
  await login.reaches('confirmed')
})
