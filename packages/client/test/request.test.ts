import { ok } from '@saoma/protocol'
import { request } from '../src/core/request.ts'

const answered = (status: number, body: unknown, headers: Record<string, string> = {}) =>
  request({
    fetch: async () => new Response(typeof body === 'string' ? body : JSON.stringify(body), { status, headers }),
    url: 'http://saoma/',
    init: {},
    parse: (value) => ok(value),
    timeoutMs: 1_000,
  })

test('a problem keeps its code, its reaction and its waiting time', async () => {
  const problem = { type: 'about:blank', title: 't', status: 429, code: 'RATE_LIMITED', react: 'retry' }
  expect(await answered(429, problem, { 'retry-after': '7' })).toMatchObject({
    ok: false,
    code: 'RATE_LIMITED',
    react: 'retry',
    retryAfterMs: 7_000,
  })
})

test.each([
  [400, 'authorization_pending', 'retry'],
  [400, 'expired_token', 'renew'],
  [400, 'invalid_grant', 'renew'],
  [400, 'access_denied', 'stop'],
  [400, 'invalid_client', 'stop'],
  [503, 'temporarily_unavailable', 'retry'],
  [502, 'anything', 'retry'],
])('OAuth error %i %s: %s', async (status, error, react) => {
  expect(await answered(status, { error })).toMatchObject({ ok: false, code: error, react })
})

test('a proxy’s own error page counts as a network failure', async () => {
  expect(await answered(502, '<html>Bad Gateway')).toMatchObject({ code: 'NETWORK', react: 'retry' })
})

test('an answer from another server is not taken for ours', async () => {
  expect(await answered(404, '<html>')).toMatchObject({ code: 'MALFORMED', react: 'stop' })
})

test('a request that is never answered ends at its timeout', async () => {
  const never = request({
    fetch: (_url, init) =>
      new Promise((_resolve, reject) => init?.signal?.addEventListener('abort', () => reject(init.signal?.reason))),
    url: 'http://saoma/',
    init: {},
    parse: (value) => ok(value),
    timeoutMs: 1,
  })
  expect(await never).toMatchObject({ ok: false, code: 'NETWORK', react: 'retry' })
})

// A browser refuses it as the method of another object.
test('fetch is called as a plain function', async () => {
  let self: unknown = 'not called'
  await request({
    async fetch(this: unknown) {
      self = this
      return new Response('{}')
    },
    url: 'http://saoma/',
    init: {},
    parse: (value) => ok(value),
    timeoutMs: 1_000,
  })
  expect(self).toBeUndefined()
})
