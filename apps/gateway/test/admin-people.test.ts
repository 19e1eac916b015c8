import type { Page } from '@saoma/protocol'
import {
  type Answer,
  apiKeyLine,
  attemptPhoneToken,
  confirm,
  connectLive,
  connectWs,
  createTicket,
  type Gateway,
  narrowApiKey,
  openEvents,
  phoneToken,
  publish,
  redeem,
  refresh,
  request,
  scan,
  startGateway,
  startRedis,
  testAdminKey,
  testApiKey,
  until,
  webToken,
} from '@saoma/testing'
import { partOf, validatorAt } from './api-oracle.ts'
import { admin, claimsOf } from './person-life.ts'

/* What administrators do with accounts and sessions, on two nodes. */

const REASON = '您的账号已停用 — please ask at the desk.'
const readKey = 'saoma_reader_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG'
let a: Gateway
let b: Gateway

beforeAll(async () => {
  const { url } = await startRedis()
  const keys = [
    apiKeyLine(testAdminKey, 'room:*,user:*', 'accounts:read,accounts:write,sessions:end,audit:read'),
    apiKeyLine(testApiKey, 'room:*,user:*'),
    apiKeyLine(readKey, 'room:none', 'accounts:read'),
    apiKeyLine(narrowApiKey, 'room:read-*'),
  ].join(';')
  const start = (nodeId: string) =>
    startGateway({ redisUrl: url, nodeId, origin: 'http://people.test', env: { SAOMA_API_KEYS: keys } })
  ;[a, b] = (await Promise.all(['a', 'b'].map(start))) as [Gateway, Gateway]
})

/** Calls a route as its path in the document says. The answer has to be as documented. */
const call = async <T = unknown>(
  route: string,
  sub = '',
  {
    query = '',
    body,
    node = a,
    bearer = testAdminKey,
  }: { query?: string; body?: unknown; node?: Gateway; bearer?: string } = {},
): Promise<Answer<T>> => {
  const [method = '', path = ''] = route.split(' ')
  const answer = await request<T>(`${node.internalOrigin}/v1/admin${path.replace('{sub}', sub)}${query}`, {
    method,
    bearer,
    ...(body === undefined ? {} : { json: body }),
  })
  const type = answer.headers.get('content-type')?.split(';')[0] ?? ''
  const place = ['paths', `/v1/admin${path}`, method.toLowerCase(), 'responses', `${answer.status}`, 'content', type]
  expect({ route, status: answer.status, type, isDocumented: partOf('openapi', place) !== undefined }).toMatchObject({
    isDocumented: true,
  })
  const validate = validatorAt('openapi', [...place, 'schema'])
  expect({ route, isValid: validate(answer.body), errors: validate.errors }).toMatchObject({ isValid: true })
  return answer
}

const subOf = (token: string): string => claimsOf(token).sub
const sidOf = (token: string): string => claimsOf(token).sid
interface Noted {
  kind: string
  by?: string
  key?: string
  ip?: string
  reason?: string
}
const noted = async (sub: string, kind: string, count: number): Promise<Noted[]> => {
  const { body } = await until(
    () => admin<{ entries: Noted[] }>(b, 'GET', `/audit?person=${sub}&kind=${kind}&order=oldest`),
    ({ body: page }) => page.entries.length >= count,
  )
  return body.entries
}
const ADMIN = { by: 'backend', key: 'admin', ip: '127.0.0.1' }

test('a person is found by identity, and read; nobody is invented', async () => {
  const sub = subOf(await phoneToken(a.origin, 'ann'))
  const account = {
    sub,
    state: 'active',
    claims: { name: 'ann' },
    identities: [{ provider: 'demo', app: '', id: 'ann' }],
  }
  expect(await call('GET /accounts', '', { query: '?provider=demo&id=ann', node: b })).toMatchObject({
    status: 200,
    body: { accounts: [account] },
  })
  const read = await call('GET /accounts/{sub}', sub)
  expect([read.status, read.body, read.headers.get('cache-control')]).toEqual([200, account, 'no-store'])
  for (const query of ['?provider=demo&id=nobody', '?provider=wechat&app=wx1&id=ann', '?provider=wechat&union=ann'])
    expect((await call('GET /accounts', '', { query })).body).toEqual({ accounts: [] })
  expect(await attemptPhoneToken(a.origin, 'demo:nobody-yet-known')).toMatchObject({ status: 200 })
  expect(await call('GET /accounts/{sub}', 'nobody')).toMatchObject({
    status: 404,
    body: { code: 'NOT_FOUND', detail: 'there is no account with this sub' },
  })
})

test('a disabled person is out everywhere, is told why, and a phone token of before does nothing more', async () => {
  const tokens = await webToken(a.origin, 'bob')
  const { access_token: bearer, user: sub } = tokens
  const phone = await phoneToken(b.origin, 'bob')
  const page = connectLive(a.origin, { token: bearer })
  const device = connectLive(b.origin, { token: phone })
  await Promise.all([page.next('connect'), device.next('connect')])
  const plain = await connectWs(b.origin)
  await plain.ask({ op: 'auth', token: bearer })
  const stream = await openEvents(`${b.origin}/v1/messages?channel=@user`, { bearer })
  await stream.next('subscribed')
  const { epoch, offset } = (await request<Page>(`${a.origin}/v1/channels/@user/messages`, { bearer })).body
  const polled = request(`${a.origin}/v1/channels/@user/messages?epoch=${epoch}&after=${offset}&wait=25`, { bearer })
  const [scanned, agreed] = [await createTicket(b.origin), await createTicket(b.origin)]
  for (const { ticket } of [scanned, agreed]) expect((await scan(a.origin, ticket, phone)).status).toBe(200)
  expect((await confirm(a.origin, agreed.ticket, phone)).status).toBe(200)

  const disabled = { status: 200, body: { sub, state: 'disabled', ended: 1 } }
  expect(await call('POST /accounts/{sub}/disable', sub, { body: { reason: REASON } })).toMatchObject(disabled)
  const told = { code: 'REVOKED', reason: REASON }
  expect(await page.next('ended')).toEqual(told)
  expect(await device.next('ended')).toEqual(told)
  expect(JSON.parse(String(await plain.next()))).toMatchObject({ error: 'REVOKED', reason: REASON })
  expect((await stream.next('ended')).data).toEqual(told)
  expect(await polled).toMatchObject({ status: 401, body: told })
  expect(await refresh(b.origin, tokens.refresh_token)).toMatchObject({ status: 400, body: told })
  expect((await redeem(a.origin, agreed.device_code)).status).toBe(400)

  for (const { origin } of [a, b]) {
    const refused = { status: 403, body: { code: 'ACCOUNT_DISABLED' } }
    expect(await scan(origin, (await createTicket(origin)).ticket, phone)).toMatchObject(refused)
    expect(await confirm(origin, scanned.ticket, phone)).toMatchObject(refused)
    expect(await attemptPhoneToken(origin, 'demo:bob')).toMatchObject(refused)
    for (const path of ['/v1/channels/@user/messages', '/v1/sessions', '/v1/me/activity'])
      expect(await request(`${origin}${path}`, { bearer: phone })).toMatchObject({ body: { code: 'REVOKED' } })
    const body = { channel: 'room:open-1', event: 'said', data: 1 }
    expect(await publish(origin, body, phone)).toMatchObject({ body: { code: 'REVOKED' } })
    const again = connectLive(origin, { token: phone, reconnection: false })
    expect(await again.next('connect_error')).toMatchObject({ data: { code: 'REVOKED' } })
    again.close()
  }
  // Repeated it says what is so.
  expect(await call('POST /accounts/{sub}/disable', sub, { node: b })).toMatchObject({
    body: { sub, state: 'disabled', ended: 0 },
  })
  for (let i = 0; i < 2; i++)
    expect(await call('POST /accounts/{sub}/enable', sub)).toMatchObject({ body: { sub, state: 'active', ended: 0 } })
  expect((await refresh(b.origin, tokens.refresh_token)).status).toBe(400)
  expect((await webToken(b.origin, 'bob')).user).toBe(sub)

  // Two nodes write on their own, so what they note within a second stands in any order.
  const said = expect.objectContaining({ ...ADMIN, said: REASON })
  expect(await noted(sub, 'account.disabled', 2)).toContainEqual(said)
  expect((await noted(sub, 'account.enabled', 2))[0]).toMatchObject(ADMIN)
  expect(await noted(sub, 'session.ended', 1)).toContainEqual(said)
  for (const verb of ['disable', 'enable'])
    expect(await call(`POST /accounts/{sub}/${verb}`, 'nobody')).toMatchObject({ status: 404 })
})

test('identities are added and taken off, and each call may be repeated', async () => {
  const [cyd, dan] = [subOf(await phoneToken(a.origin, 'cyd')), subOf(await phoneToken(a.origin, 'dan'))]
  const own = { provider: 'demo', app: '', id: 'cyd' }
  const other = { provider: 'wechat', app: 'wx1', id: 'oCyd', union: 'uCyd' }
  for (let i = 0; i < 2; i++)
    expect(await call('POST /accounts/{sub}/identities', cyd, { body: other })).toMatchObject({
      status: 200,
      body: { sub: cyd, identities: expect.arrayContaining([own, other]) },
    })
  expect((await call('GET /accounts', '', { query: '?provider=wechat&app=wx1&id=oCyd' })).body).toMatchObject({
    accounts: [{ sub: cyd }],
  })
  expect(await call('POST /accounts/{sub}/identities', dan, { body: other })).toMatchObject({
    status: 422,
    body: { detail: 'this identity has another account' },
  })
  const query = '?provider=wechat&app=wx1&id=oCyd'
  for (let i = 0; i < 2; i++)
    expect((await call('DELETE /accounts/{sub}/identities', cyd, { query, node: b })).body).toEqual({
      sub: cyd,
      identities: [own],
    })
  expect(await call('DELETE /accounts/{sub}/identities', cyd, { query: '?provider=demo&id=cyd' })).toMatchObject({
    status: 422,
    body: { detail: 'an account keeps its last identity' },
  })
  for (const method of ['POST', 'DELETE'])
    expect(
      await call(`${method} /accounts/{sub}/identities`, 'nobody', method === 'POST' ? { body: other } : { query }),
    ).toMatchObject({ status: 404 })
  await call('POST /accounts/{sub}/disable', dan)
  const fresh = { ...other, id: 'oDan', union: 'uDan' }
  expect(await call('POST /accounts/{sub}/identities', dan, { body: fresh })).toMatchObject({
    body: { detail: 'this account is disabled' },
  })
  expect((await noted(cyd, 'account.linked', 1))[0]).toMatchObject(ADMIN)
  expect((await noted(cyd, 'account.unlinked', 1))[0]).toMatchObject(ADMIN)
})

test('sessions are listed, and one, all but one, or all of them end', async () => {
  const tokens = await Promise.all([1, 2, 3].map(() => webToken(a.origin, 'eve')))
  const sub = tokens[0]?.user ?? ''
  const [one = '', two = ''] = tokens.map(({ access_token: token }) => sidOf(token))
  const { body } = await call<{ sessions: { sid: string; ip: string }[] }>('GET /accounts/{sub}/sessions', sub)
  expect(body.sessions.map(({ sid }) => sid).sort()).toEqual(tokens.map((each) => sidOf(each.access_token)).sort())
  expect(body.sessions[0]).toMatchObject({ ip: '127.0.0.1', client: 'web' })
  const end = (json?: unknown) => call('POST /accounts/{sub}/sessions/end', sub, { node: b, body: json })
  expect(await end({ sid: one, reason: REASON })).toMatchObject({ status: 200, body: { ended: 1 } })
  expect(await refresh(a.origin, tokens[0]?.refresh_token)).toMatchObject({ body: { reason: REASON } })
  expect(await end({ sid: one })).toMatchObject({ status: 200, body: { ended: 0 } })
  expect(await end({ keep: two })).toMatchObject({ body: { ended: 1 } })
  expect((await refresh(a.origin, tokens[1]?.refresh_token)).status).toBe(200)
  expect(await end()).toMatchObject({ body: { ended: 1 } })
  expect((await call('GET /accounts/{sub}/sessions', sub)).body).toEqual({ sessions: [] })
  expect((await noted(sub, 'session.ended', 3)).map(({ by, key }) => [by, key])).toContainEqual(['backend', 'admin'])
})

test('an export has all of a person and nothing of others, however much that is', async () => {
  const tokens = await webToken(a.origin, 'fay')
  const other = await webToken(a.origin, 'gil')
  const { user: sub } = tokens
  const channel = `user:${sub}`
  const message = (i: number) => ({ channel, event: 'bill', data: { nth: i, text: '"quotes" 和 emoji 🎈' } })
  for (let i = 0; i < 12; i++)
    await request(`${a.origin}/v1/publish`, {
      bearer: testApiKey,
      json: Array.from({ length: 50 }, (_, k) => message(i * 50 + k)),
    })
  await publish(a.origin, { channel: `user:${other.user}`, event: 'bill', data: 'for gil' })
  await noted(sub, 'login.redeemed', 1)
  await call('GET /accounts/{sub}', sub)
  await noted(sub, 'admin.acted', 1)
  const head = await request(`${a.internalOrigin}/v1/admin/accounts/${sub}/export`, {
    method: 'HEAD',
    bearer: testAdminKey,
  })
  expect(head.status).toBe(200)
  const exported = await call<{
    sub: string
    account: object
    sessions: { sid: string }[]
    activity: { kind: string; ip?: string }[]
    messages: { channel: string; offset: number; data: { nth: number } }[]
  }>('GET /accounts/{sub}/export', sub)
  const { body, headers } = exported
  expect([exported.status, headers.get('cache-control')]).toEqual([200, 'no-store'])
  expect(body.account).toEqual({
    state: 'active',
    claims: { name: 'fay' },
    identities: [{ provider: 'demo', app: '', id: 'fay' }],
  })
  expect(body.sessions.map(({ sid }) => sid)).toEqual([sidOf(tokens.access_token)])
  expect(body.activity.map(({ kind }) => kind)).toEqual([
    'admin.acted',
    'login.redeemed',
    'login.confirmed',
    'login.scanned',
    'account.created',
  ])
  // What the person may be told: neither whose key it was, nor from where, nor at which node.
  const [acted] = body.activity
  expect(acted).toEqual({
    ...{ id: expect.any(String), time: expect.any(String), kind: 'admin.acted' },
    ...{ by: 'backend', reason: 'accounts.read' },
  })
  expect(body.activity.every((entry) => !('node' in entry) && !('person' in entry))).toBe(true)
  expect(body.activity[1]).toMatchObject({ ip: '127.0.0.1' })
  expect(body.messages.map(({ offset, data }) => [offset, data.nth])).toEqual(
    Array.from({ length: 600 }, (_, i) => [i + 1, i]),
  )
  expect(JSON.stringify(body)).not.toMatch(new RegExp(`${other.user}|gil`))
  // The HEAD is not among them.
  expect((await noted(sub, 'admin.acted', 2)).map(({ reason, key }) => [reason, key])).toEqual([
    ['accounts.read', 'admin'],
    ['accounts.export', 'admin'],
  ])
  const empty = subOf(await phoneToken(a.origin, 'hal'))
  expect((await call('GET /accounts/{sub}/export', empty)).body).toMatchObject({ sessions: [], messages: [] })
  expect((await call('GET /accounts/{sub}/export', 'nobody')).status).toBe(404)
})

test('who reads of a person is noted, once in ten minutes for each way to read', async () => {
  const { user: sub } = await webToken(a.origin, 'lea')
  for (let i = 0; i < 2; i++) {
    await call('GET /accounts', '', { query: '?provider=demo&id=lea' })
    await call('GET /accounts/{sub}', sub)
    await call('GET /accounts/{sub}/sessions', sub, { bearer: readKey })
  }
  // Behind all that was noted before it on this node.
  await call('POST /accounts/{sub}/disable', sub)
  await noted(sub, 'account.disabled', 1)
  const reads = await noted(sub, 'admin.acted', 3)
  expect(reads).toEqual(reads.map(() => expect.objectContaining({ by: 'backend', ip: '127.0.0.1' })))
  expect(reads.map(({ reason, key }) => [reason, key])).toEqual([
    ['accounts.search', 'admin'],
    ['accounts.read', 'admin'],
    ['accounts.sessions', expect.not.stringMatching('admin')],
  ])
})

const routes = [
  ['GET /accounts', 'accounts:read'],
  ['GET /accounts/{sub}', 'accounts:read'],
  ['GET /accounts/{sub}/export', 'accounts:read'],
  ['GET /accounts/{sub}/sessions', 'accounts:read'],
  ['POST /accounts/{sub}/disable', 'accounts:write'],
  ['POST /accounts/{sub}/enable', 'accounts:write'],
  ['DELETE /accounts/{sub}', 'accounts:write'],
  ['POST /accounts/{sub}/identities', 'accounts:write'],
  ['DELETE /accounts/{sub}/identities', 'accounts:write'],
  ['POST /accounts/{sub}/sessions/end', 'sessions:end'],
] as const
test.each(routes)('%s needs a key with %s, before anything of the request is read', async (route, scope) => {
  // The body and the query are wrong, too.
  const wrong = { query: '?what=x', ...(route.startsWith('POST') ? { body: { what: 'x' } } : {}) }
  expect(await call(route, 'a b', { ...wrong, bearer: 'nobody' })).toMatchObject({ status: 401 })
  const bearer = scope === 'accounts:read' ? testApiKey : readKey
  expect(await call(route, 'a b', { ...wrong, bearer })).toMatchObject({
    status: 403,
    body: { code: 'SCOPE_MISSING', detail: `this needs an API key with the scope ${scope}` },
  })
  const token = (await webToken(a.origin, 'ivy')).access_token
  expect(await call(route, 'x', { bearer: token })).toMatchObject({ body: { code: 'SCOPE_MISSING' } })
})

test('a key with the scope ends sessions of the people whose channels it names, and of nobody else', async () => {
  const tokens = await webToken(a.origin, 'hal')
  const asked = { bearer: narrowApiKey, body: {} }
  const refused = { status: 403, body: { code: 'FORBIDDEN' } }
  expect(await call('POST /accounts/{sub}/sessions/end', tokens.user, asked)).toMatchObject(refused)
  expect((await refresh(a.origin, tokens.refresh_token)).status).toBe(200)
})

test.each<[route: string, sub: string, asked: { query?: string; body?: unknown }, detail: string]>([
  ['GET /accounts', '', {}, 'give provider, and id or union'],
  ['GET /accounts', '', { query: '?provider=wechat' }, 'give provider, and id or union'],
  ['GET /accounts', '', { query: '?provider=wechat&id=a&union=b' }, 'give provider, and id or union'],
  ['GET /accounts', '', { query: '?provider=qq&id=a' }, 'provider is wechat, app, passkey or demo'],
  ['GET /accounts', '', { query: '?provider=app&id=a&id=b' }, 'id may be there once only'],
  ['GET /accounts', '', { query: '?provider=app&id=a&limit=5' }, 'there is no parameter "limit"'],
  ['GET /accounts', '', { query: `?provider=app&id=${'x'.repeat(129)}` }, 'id has 1 to 128 characters'],
  ['GET /accounts/{sub}', 'a%20b', {}, 'this is no id of a person'],
  ['GET /accounts/{sub}', 'x'.repeat(129), {}, 'this is no id of a person'],
  ['GET /accounts/{sub}', 'x', { query: '?full=1' }, 'there is no parameter "full"'],
  ['DELETE /accounts/{sub}', 'x', { query: '?all=1' }, 'there is no parameter "all"'],
  ['POST /accounts/{sub}/disable', 'x', { body: { why: 'x' } }, 'there is no member "why"'],
  ['POST /accounts/{sub}/disable', 'x', { body: [] }, 'the body is an object'],
  ['POST /accounts/{sub}/disable', 'x', { body: null }, 'the body is an object'],
  [
    'POST /accounts/{sub}/disable',
    'x',
    { body: { reason: 'one\ntwo' } },
    'reason is a sentence of up to 200 characters without line breaks, or absent',
  ],
  ['POST /accounts/{sub}/enable', 'x', { body: { reason: 'x' } }, 'there is no member "reason"'],
  ['POST /accounts/{sub}/identities', 'x', { body: { provider: 'app' } }, 'give provider and id'],
  ['POST /accounts/{sub}/identities', 'x', { body: { provider: 'app', id: 7 } }, 'id has 1 to 128 characters'],
  ['POST /accounts/{sub}/identities', 'x', {}, 'the body is not JSON in UTF-8'],
  ['DELETE /accounts/{sub}/identities', 'x', { query: '?id=a' }, 'give provider and id'],
  ['POST /accounts/{sub}/sessions/end', 'x', { body: { sid: 'a', keep: 'b' } }, 'give sid or keep, not both'],
  [
    'POST /accounts/{sub}/sessions/end',
    'x',
    { body: { all: 1 } },
    'there is no member "all": there are sid, keep and reason',
  ],
])('%s of %s with %j is refused by name', async (route, sub, asked, detail) => {
  expect(await call(route, sub, asked)).toMatchObject({ status: 422, body: { code: 'INVALID', detail } })
})

test('a body that is too large is refused, and changes nothing', async () => {
  const sub = subOf(await phoneToken(a.origin, 'joe'))
  const body = { reason: 'x'.repeat(70_000) }
  expect(await call('POST /accounts/{sub}/disable', sub, { body })).toMatchObject({
    status: 413,
    body: { code: 'TOO_LARGE' },
  })
  expect(await call('GET /accounts/{sub}', sub)).toMatchObject({ body: { state: 'active' } })
})

test('with Redis away the routes say so, and the same call works later', async () => {
  const server = await startRedis({ appendonly: true })
  const node = await startGateway({ redisUrl: server.url, nodeId: 'x', origin: 'http://people.test' })
  const { user: sub, refresh_token: token } = await webToken(node.origin, 'kim')
  await server.kill('SIGKILL')
  for (const [route] of routes) {
    const query =
      route === 'GET /accounts' || route.startsWith('DELETE /accounts/{sub}/') ? '?provider=demo&id=kim' : ''
    const body = route === 'POST /accounts/{sub}/identities' ? { provider: 'app', id: 'x' } : undefined
    expect(await call(route, sub, { node, query, body })).toMatchObject({ status: 503, body: { react: 'retry' } })
  }
  await server.restart()
  await until(
    () => call<{ ended: number }>('DELETE /accounts/{sub}', sub, { node }),
    ({ status }) => status === 200,
  )
  expect((await refresh(node.origin, token)).status).toBe(400)
})
