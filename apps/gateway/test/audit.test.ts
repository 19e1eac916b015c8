import type { AuditPage } from '@saoma/audit'
import type { ActivityPage, SessionList, TokenSet } from '@saoma/protocol'
import {
  ageRefreshToken,
  type Cluster,
  confirm,
  connectLive,
  connectLogin,
  createTicket,
  type Gateway,
  metricOf,
  onCleanup,
  phoneToken,
  poll,
  publish,
  redeem,
  refresh,
  reject,
  request,
  scan,
  startCluster,
  startGateway,
  startRedis,
  testAdminKey,
  testApiKey,
  until,
  webToken,
} from '@saoma/testing'
import { failuresOf, nodeAt, openOperator } from './fixtures.ts'

const AGENT =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36'

let cluster: Cluster
let a: Gateway
let b: Gateway

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2 })
  a = nodeAt(cluster.nodes, 0)
  b = nodeAt(cluster.nodes, 1)
})

const subOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).sub as string
const sidOf = ({ access_token: token }: TokenSet): string =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).sid as string

/** What an administrator reads at the internal port of a node. */
const read = (query: Record<string, string>, { internalOrigin }: Gateway = b) =>
  request<AuditPage & { code?: string; detail?: string }>(
    `${internalOrigin}/v1/admin/audit?${new URLSearchParams(query)}`,
    { bearer: testAdminKey },
  )
/** Entries are written a moment after what they tell of. */
const entriesOf = async (query: Record<string, string>, count: number) =>
  (
    await until(
      () => read({ order: 'oldest', ...query }),
      ({ body }) => body.entries.length >= count,
    )
  ).body.entries
const activity = (origin: string, bearer: string, query = '') =>
  request<ActivityPage>(`${origin}/v1/me/activity${query}`, { bearer })

test('a login over two nodes is found step by step, in its order, by person and by ticket', async () => {
  const { ticket, device_code: deviceCode } = await createTicket(a.origin, { headers: { 'user-agent': AGENT } })
  const phone = await phoneToken(b.origin, 'ada')
  await scan(b.origin, ticket, phone, { headers: { 'user-agent': 'MicroMessenger/8.0.60' } })
  await confirm(b.origin, ticket, phone)
  const { body: tokens } = await redeem(a.origin, deviceCode, { headers: { 'user-agent': AGENT } })
  const person = subOf(tokens.access_token)
  const place = { ip: '127.0.0.1', browser: 'Chrome 126', os: 'Windows 10' }

  expect(await entriesOf({ ticket }, 4)).toMatchObject([
    { kind: 'login.asked', node: 'a', client: 'web', ...place },
    { kind: 'login.scanned', node: 'b', person },
    { kind: 'login.confirmed', node: 'b', person },
    { kind: 'login.redeemed', node: 'a', person, sid: sidOf(tokens), client: 'web', mode: 'tap', ...place },
  ])
  const all = await entriesOf({ person }, 4)
  expect(all.map(({ kind }) => kind)).toEqual(['account.created', 'login.scanned', 'login.confirmed', 'login.redeemed'])
  expect(all[0]).toMatchObject({ node: 'b', ip: '127.0.0.1' })
  expect(all[0]).not.toHaveProperty('by')
  // A step that its client repeats is one entry.
  await confirm(b.origin, ticket, phone)
  await confirm(a.origin, ticket, phone)
  await webToken(a.origin, 'ada')
  expect((await entriesOf({ person, kind: 'login.confirmed' }, 2)).length).toBe(2)
})

test('a declined, a refused and an expired login are noted', async () => {
  const [ada, eve] = [await phoneToken(a.origin, 'ada'), await phoneToken(b.origin, 'eve')]
  const declined = await createTicket(a.origin)
  await scan(a.origin, declined.ticket, ada)
  await scan(b.origin, declined.ticket, eve)
  await reject(a.origin, declined.ticket, ada)
  const entries = await entriesOf({ ticket: declined.ticket }, 4)
  expect(entries.map(({ kind, reason }) => [kind, reason])).toEqual(
    expect.arrayContaining([
      ['login.asked', undefined],
      ['login.scanned', undefined],
      ['login.refused', 'TICKET_TAKEN'],
      ['login.declined', undefined],
    ]),
  )
  expect(entries.find(({ kind }) => kind === 'login.refused')).toMatchObject({ person: subOf(eve), node: 'b' })

  const env = { SAOMA_SCAN_SECONDS: '1' }
  const brief = await startGateway({ redisUrl: cluster.redis.url, nodeId: 'c', origin: cluster.origin, env })
  const { ticket, device_code: deviceCode } = await createTicket(brief.origin)
  for (const node of [brief, brief, b])
    expect((await poll(node.origin, deviceCode, { after: 1, wait: 25 })).body.status).toBe('expired')
  expect((await entriesOf({ ticket }, 2)).map(({ kind }) => kind)).toEqual(['login.asked', 'login.expired'])
})

test('the end of a session says who ended it and why', async () => {
  const sessions = async (bearer: string) =>
    (await request<SessionList>(`${a.origin}/v1/sessions`, { bearer })).body.sessions
  const phone = await phoneToken(a.origin, 'carl')
  const tokens: TokenSet[] = []
  for (let i = 0; i < 4; i++) tokens.push(await webToken(a.origin, 'carl'))
  const [byPhone, byLogout, byReplay, byHand] = tokens
  if (!byPhone || !byLogout || !byReplay || !byHand) throw new Error('there are four')
  await request(`${b.origin}/v1/sessions/${sidOf(byPhone)}`, { method: 'DELETE', bearer: phone })
  await request(`${b.origin}/oidc/token/revocation`, {
    form: { token: byLogout.refresh_token ?? '', client_id: 'web' },
  })
  // Used twice, the second time after its successor: a theft.
  const used = byReplay.refresh_token
  await refresh(a.origin, used)
  await ageRefreshToken(cluster.redis.url, used ?? '', 61)
  expect((await refresh(b.origin, used)).status).toBe(400)
  await request(`${a.origin}/v1/sessions`, { method: 'DELETE', bearer: byHand.access_token })
  expect(await sessions(phone)).toEqual([])

  const ended = await entriesOf({ person: subOf(phone), kind: 'session.ended' }, 4)
  expect(Object.fromEntries(ended.map(({ sid, by, reason }) => [sid, [by, reason]]))).toEqual({
    [sidOf(byPhone)]: ['phone', 'ended'],
    [sidOf(byLogout)]: ['browser', 'logout'],
    [sidOf(byReplay)]: ['saoma', 'refresh-token-reused'],
    [sidOf(byHand)]: ['browser', 'ended'],
  })
})

test('a backend that ends a person’s sessions is noted with its key, and so is the first use of that key', async () => {
  await request(`${a.origin}/v1/users/somebody/end`, { bearer: testApiKey, json: { sid: 'theirs' } })
  await publish(b.origin, { channel: 'room:audit', event: 'e', data: 1 })
  expect(await entriesOf({ person: 'somebody' }, 1)).toMatchObject([
    { kind: 'session.ended', by: 'backend', key: expect.any(String), sid: 'theirs' },
  ])
  // By both nodes, and noted once.
  // The key that reads here has been used, too.
  const used = await entriesOf({ kind: 'key.used' }, 2)
  expect(used.filter(({ key }) => key === 'test')).toMatchObject([{ ip: '127.0.0.1' }])
})

test('a backend that ends all of a person is noted once for each session', async () => {
  const [one, two] = [await webToken(a.origin, 'kim'), await webToken(b.origin, 'kim')]
  const person = subOf(one.access_token)
  const end = () => request(`${b.origin}/v1/users/${person}/end`, { method: 'POST', bearer: testApiKey })
  expect(await end()).toMatchObject({ status: 202, body: { ended: 2 } })
  const ended = await entriesOf({ person, kind: 'session.ended' }, 2)
  expect(ended.map(({ sid }) => sid).sort()).toEqual([sidOf(one), sidOf(two)].sort())
  for (const { by, key, ip } of ended) expect([by, typeof key, ip]).toEqual(['backend', 'string', '127.0.0.1'])
  // There is nothing left to end. That the backend asked for it is one entry.
  expect(await end()).toMatchObject({ status: 202, body: { ended: 0 } })
  const again = await entriesOf({ person, kind: 'session.ended' }, 3)
  expect(again).toHaveLength(3)
  expect(again.filter(({ sid }) => sid === undefined)).toMatchObject([{ by: 'backend', node: 'b' }])
})

test('a refresh from another network is noted, one from the same is not', async () => {
  const tokens = await webToken(a.origin, 'dora')
  // A page refreshes minutes later, not before the login was written.
  await entriesOf({ person: subOf(tokens.access_token), kind: 'login.redeemed' }, 1)
  const from = (address: string, token: string | undefined) =>
    refresh(b.origin, token, { headers: { 'x-forwarded-for': address } })
  const first = await from('198.51.100.7', tokens.refresh_token)
  const second = await from('198.51.100.200', first.body.refresh_token)
  expect((await from('203.0.113.7', second.body.refresh_token)).status).toBe(200)
  const person = subOf(tokens.access_token)
  const moved = await entriesOf({ person, kind: 'session.moved' }, 2)
  expect(moved).toMatchObject([
    { ip: '198.51.100.7', sid: sidOf(tokens), client: 'web' },
    { ip: '203.0.113.7', sid: sidOf(tokens), client: 'web' },
  ])
  expect((await read({ network: '198.51.100.0/24' })).body.entries).toMatchObject([{ person }])
})

test('a person reads their own activity and nobody else’s, page by page, on any node', async () => {
  const tokens = await webToken(a.origin, 'fay')
  const phone = await phoneToken(b.origin, 'fay')
  await entriesOf({ person: subOf(phone) }, 4)
  const { status, headers, body } = await activity(b.origin, tokens.access_token)
  expect([status, headers.get('cache-control')]).toEqual([200, 'no-store'])
  expect(body.entries.map(({ kind }) => kind)).toEqual([
    'login.redeemed',
    'login.confirmed',
    'login.scanned',
    'account.created',
  ])
  expect(body.entries[0]).toMatchObject({ sid: sidOf(tokens), client: 'web', ip: '127.0.0.1' })
  expect(JSON.stringify(body)).not.toContain('"person"')

  const first = (await activity(a.origin, phone, '?limit=2')).body
  expect(first.entries).toHaveLength(2)
  const second = (await activity(b.origin, phone, `?limit=2&cursor=${first.cursor}`)).body
  expect(second.entries.map(({ kind }) => kind)).toEqual(['login.scanned', 'account.created'])
  expect(second.cursor).toBeUndefined()

  const other = await phoneToken(a.origin, 'gil')
  await entriesOf({ person: subOf(other) }, 1)
  expect((await activity(a.origin, other)).body.entries.map(({ kind }) => kind)).toEqual(['account.created'])
  for (const query of ['?limit=x', '?cursor=nowhere', '?cursor=1-1&cursor=1-2'])
    expect(await activity(a.origin, other, query)).toMatchObject({ status: 422, body: { code: 'INVALID' } })
  expect(await activity(a.origin, testApiKey)).toMatchObject({ status: 403 })
  expect(await activity(a.origin, 'nobody')).toMatchObject({ status: 401 })
})

test('an administrator reads pages and exports lines, and that is noted; wrong parameters are named', async () => {
  await webToken(a.origin, 'hal')
  const person = subOf(await phoneToken(a.origin, 'hal'))
  await entriesOf({ person }, 4)
  const first = (await read({ person, limit: '2' })).body
  expect(first).toMatchObject({ entries: [{ kind: 'login.redeemed' }, { kind: 'login.confirmed' }], more: true })
  const rest = (await read({ person, limit: '2', cursor: first.cursor })).body
  expect(rest.entries[0]).toMatchObject({ kind: 'login.scanned' })

  const lines = await fetch(`${a.internalOrigin}/v1/admin/audit?kind=login&order=oldest&limit=1`, {
    headers: { accept: 'application/x-ndjson', authorization: `Bearer ${testAdminKey}` },
  })
  expect(lines.headers.get('content-type')).toBe('application/x-ndjson')
  const entries = (await lines.text())
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { kind: string; id: string })
  expect(entries.length).toBeGreaterThan(20)
  expect(new Set(entries.map(({ id }) => id)).size).toBe(entries.length)
  expect(entries.every(({ kind }) => kind.startsWith('login.'))).toBe(true)
  // However often one key reads.
  const acted = await entriesOf({ kind: 'admin' }, 2)
  expect(acted.map(({ by, key, reason }) => [by, key, reason])).toEqual([
    ['backend', 'admin', 'audit.read'],
    ['backend', 'admin', 'audit.export'],
  ])

  for (const [query, detail] of [
    [{ kind: 'login.danced' }, 'kind has a kind that does not exist'],
    [{ kind: 'Login' }, 'kind lists kinds such as login.confirmed, or groups such as login'],
    [{ network: 'example.com' }, 'network is an address or a network such as 203.0.113.0/24'],
    [{ from: 'yesterday' }, 'from is a time such as 2026-11-30T09:00:00Z'],
    [{ to: '2026-11-30T09:00:00+09' }, 'to is a time such as 2026-11-30T09:00:00Z'],
    [{ limit: '0' }, 'limit is a whole number above 0'],
    [{ order: 'best' }, 'order is newest or oldest'],
    [{ cursor: 'x' }, 'cursor is that of the page before'],
    [{ persn: 'x' }, 'there is no parameter persn'],
  ] as const)
    expect((await read(query)).body).toMatchObject({ code: 'INVALID', detail })
  for (const name of ['from', 'to']) expect((await read({ [name]: '0001-01-01T00:00:00Z' })).status).toBe(200)
  const { internalOrigin } = a
  expect((await request(`${internalOrigin}/v1/admin/audit?sid=a&sid=b`, { bearer: testAdminKey })).body).toMatchObject({
    detail: 'sid may be there once only',
  })
  expect((await request(`${internalOrigin}/v1/admin/nothing`)).body).toMatchObject({ code: 'NOT_FOUND' })
  expect((await request(`${internalOrigin}/v1/admin/audit`, { method: 'POST' })).body).toMatchObject({
    code: 'METHOD_NOT_ALLOWED',
  })
})

test('the administrators’ routes need a key with the scope', async () => {
  const at = `${a.internalOrigin}/v1/admin/audit`
  expect((await request(at)).body).toMatchObject({ code: 'UNAUTHORIZED' })
  for (const bearer of [testApiKey, (await webToken(a.origin, 'ada')).access_token])
    expect(await request(at, { bearer })).toMatchObject({
      status: 403,
      body: { code: 'SCOPE_MISSING', detail: 'this needs an API key with the scope audit:read' },
    })
})

test('the administrators’ routes are not at the public port', async () => {
  for (const origin of [a.origin, cluster.origin]) expect((await request(`${origin}/v1/admin/audit`)).status).toBe(404)
})

test('with Redis away logins are answered as before, and nothing waits for the audit; metrics count', async () => {
  const server = await startRedis({ appendonly: true })
  const node = await startGateway({ redisUrl: server.url, nodeId: 'x', origin: 'http://audit.test' })
  await webToken(node.origin, 'ivy')
  await until(
    () => metricOf(node, 'saoma_audit_entries_total{kind="login.redeemed"}'),
    (count) => count === 1,
  )
  await server.kill('SIGKILL')
  for (let i = 0; i < 20; i++)
    expect((await request(`${node.origin}/oidc/device/auth`, { form: { client_id: 'web' } })).status).toBe(503)
  expect((await request(`${node.internalOrigin}/v1/admin/audit`, { bearer: testAdminKey })).body).toMatchObject({
    code: 'REDIS_UNAVAILABLE',
  })
  const lines = await fetch(`${node.internalOrigin}/v1/admin/audit`, {
    headers: { accept: 'application/x-ndjson', authorization: `Bearer ${testAdminKey}` },
  })
  expect([lines.status, await lines.json()]).toMatchObject([503, { code: 'REDIS_UNAVAILABLE' }])
  await server.restart()
  await until(
    () => request(`${node.internalOrigin}/readyz`),
    ({ status }) => status === 200,
  )
  await webToken(node.origin, 'ivy')
  await until(
    () => read({ kind: 'login.redeemed' }, node),
    ({ body }) => body.entries.length === 2,
  )
  expect(await metricOf(node, 'saoma_audit_lost_total{why="backlog"}')).toBe(0)
})

test('with SAOMA_AUDIT=off nothing is written', async () => {
  const { url } = await startRedis()
  const node = await startGateway({
    redisUrl: url,
    nodeId: 'x',
    origin: 'http://audit.test',
    env: { SAOMA_AUDIT: 'off' },
  })
  const { access_token: token } = await webToken(node.origin, 'joe')
  expect((await activity(node.origin, token)).body).toEqual({ entries: [] })
  // It writes what it has before it ends.
  await node.stop()
  const operator = await openOperator(url)
  expect(await operator.keys('saoma:audit:*')).toEqual([])
})

test('a node that stops writes what waits, the refusals of the last minute as one entry for each code', async () => {
  const { url } = await startRedis()
  const start = () => startGateway({ redisUrl: url, nodeId: 'x', origin: 'http://audit.test' })
  const node = await start()
  for (let i = 0; i < 46; i++) await request(`${node.origin}/v1/sessions`, { bearer: 'nobody' })
  for (let i = 0; i < 3; i++) await request(`${node.internalOrigin}/v1/admin/audit`, { bearer: 'nobody' })
  // Over sockets, too: a wrong token, and device codes that somebody guesses.
  const stranger = connectLive(node.origin, { token: 'nobody', reconnection: false })
  await stranger.next('connect_error')
  const guesser = connectLogin(node.origin)
  for (let i = 0; i < 5; i++) expect(await guesser.watch(`${i}`.repeat(65))).toMatchObject({ code: 'TICKET_NOT_FOUND' })
  guesser.close()
  await createTicket(node.origin)
  await node.stop()
  expect(failuresOf(node)).toEqual([])
  const next = await start()
  onCleanup(() => next.stop())
  const { entries } = (await read({ order: 'oldest', kind: 'refusals,login' }, next)).body
  expect(entries).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ kind: 'refusals', reason: 'UNAUTHORIZED', count: 50 }),
      expect.objectContaining({ kind: 'refusals', reason: 'TICKET_NOT_FOUND', count: 5 }),
      expect.objectContaining({ kind: 'login.asked' }),
    ]),
  )
})
