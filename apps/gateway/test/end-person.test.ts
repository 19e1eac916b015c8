import type { Page, TokenSet } from '@saoma/protocol'
import {
  type Cluster,
  confirm,
  connectLive,
  connectWs,
  createTicket,
  documented,
  ensurePrograms,
  narrowApiKey,
  openEvents,
  phoneToken,
  redeem,
  refresh as refreshAt,
  request,
  runShell,
  scan,
  startCluster,
  startGateway,
  startRedisCluster,
  testApiKey,
  until,
  webToken,
} from '@saoma/testing'
import { openOperator } from './fixtures.ts'

/* What `POST /v1/users/{id}/end` ends, on every node and for good (D102). */

const REASON = '您的账号已停用 — your account was closed.'
let cluster: Cluster
let a: string
let b: string

beforeAll(async () => {
  cluster = await startCluster({
    nodes: 2,
    env: { SAOMA_SESSIONS_PER_PERSON: '5', SAOMA_SESSIONS_PER_KIND: 'phone=1' },
  })
  const [first = '', second = ''] = cluster.nodes.map(({ origin }) => origin)
  a = first
  b = second
})

type Ended = { ended: number; code?: string; detail?: string }
const end = (origin: string, user: string, json?: unknown) =>
  request<Ended>(`${origin}/v1/users/${user}/end`, {
    method: 'POST',
    bearer: testApiKey,
    ...(json === undefined ? {} : { json }),
  })
const list = (origin: string, bearer: string) => request(`${origin}/v1/sessions`, { bearer })
const refresh = (origin: string, { refresh_token: token }: Pick<TokenSet, 'refresh_token'>) => refreshAt(origin, token)
const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
const sidOf = ({ access_token: token }: TokenSet): string => claimsOf(token).sid
/** A login whose phone has confirmed and whose page has no tokens yet. */
const confirmed = async (origin: string, phone: string): Promise<string> => {
  const { device_code: code, ticket } = await createTicket(origin)
  await scan(origin, ticket, phone)
  expect((await confirm(origin, ticket, phone)).status).toBe(200)
  return code
}

test('everything of a person ends on every door, and the page is told why, now and later', async () => {
  const tokens = await webToken(a, 'anna')
  const { access_token: bearer, user } = tokens
  const phone = await phoneToken(a, 'anna')
  const live = connectLive(a, { token: bearer })
  const phones = connectLive(b, { token: phone })
  await Promise.all([live.next('connect'), phones.next('connect')])
  const plain = await connectWs(b)
  await plain.ask({ op: 'auth', token: bearer })
  const stream = await openEvents(`${b}/v1/messages?channel=@user`, { bearer })
  await stream.next('subscribed')
  const { epoch, offset } = (await request<Page>(`${a}/v1/channels/@user/messages`, { bearer })).body
  const polled = request(`${a}/v1/channels/@user/messages?epoch=${epoch}&after=${offset}&wait=25`, { bearer })
  const [scanned, agreed] = [await createTicket(b), await confirmed(b, phone)]
  await scan(a, scanned.ticket, phone)

  expect(await end(b, user, { reason: REASON })).toMatchObject({ status: 202, body: { ended: 1 } })
  const told = { code: 'REVOKED', reason: REASON }
  expect(await live.next('ended')).toEqual(told)
  expect(await phones.next('ended')).toEqual(told)
  expect(JSON.parse(String(await plain.next()))).toEqual({ code: 1, msg: 'Not Auth', error: 'REVOKED', reason: REASON })
  expect((await stream.next('ended')).data).toEqual(told)
  expect(await polled).toMatchObject({ status: 401, body: told })

  for (const origin of [a, b]) {
    expect(await list(origin, bearer)).toMatchObject({ status: 401, body: { code: 'REVOKED' } })
    // A page that was away is told as well.
    expect(await refresh(origin, tokens)).toMatchObject({ status: 400, body: { error: 'invalid_grant', ...told } })
    expect(await redeem(origin, agreed)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
  }
  await confirm(b, scanned.ticket, phone)
  expect(await redeem(a, scanned.device_code)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
  // What begins afterwards is not affected.
  const next = await redeem(a, await confirmed(b, phone))
  expect(next.status).toBe(200)
  expect(await end(a, user)).toMatchObject({ status: 202, body: { ended: 1 } })
  expect(await end(a, user)).toMatchObject({ status: 202, body: { ended: 0 } })
})

test('a stranger who knows the name of a session is not told why it ended', async () => {
  const tokens = await webToken(a, 'bert')
  await end(a, tokens.user, { reason: REASON })
  const guess = `${sidOf(tokens)}${'x'.repeat(43)}`
  const { status, body } = await refreshAt(a, guess)
  expect([status, Object.keys(body).sort()]).toEqual([400, ['error', 'error_description']])
})

test('one session, or all but one', async () => {
  const [one, two, three] = await Promise.all([1, 2, 3].map(() => webToken(a, 'carl')))
  if (!one || !two || !three) throw new Error('nobody is logged in')
  const sockets = [one, two, three].map(({ access_token: token }, i) => connectLive(i % 2 ? b : a, { token }))
  const phones = connectLive(b, { token: await phoneToken(b, 'carl') })
  await Promise.all([...sockets, phones].map((socket) => socket.next('connect')))

  expect(await end(b, one.user, { sid: sidOf(one) })).toMatchObject({ status: 202, body: { ended: 1 } })
  expect(await sockets[0]?.next('ended')).toEqual({ code: 'REVOKED' })
  const pending = await confirmed(a, await phoneToken(a, 'carl'))
  expect(await end(a, one.user, { keep: sidOf(two), reason: 'Only here.' })).toMatchObject({ body: { ended: 1 } })
  for (const socket of [sockets[2], phones])
    expect(await socket?.next('ended')).toEqual({ code: 'REVOKED', reason: 'Only here.' })
  expect(await redeem(a, pending)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
  expect([(await refresh(a, one)).status, (await refresh(b, three)).status]).toEqual([400, 400])
  expect((await refresh(b, two)).status).toBe(200)
  expect(await sockets[1]?.subscribe({ channel: '@user' })).toMatchObject({ ok: true })

  // A node that could not hear of it looks it up, and spares the one that was kept.
  const redis = await openOperator(cluster.redis.url)
  await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  const other = connectLive(b, { token: two.access_token })
  await other.next('connect')
  expect(await other.subscribe({ channel: '@user' })).toMatchObject({ ok: true })
  expect(sockets[1]?.pending('ended')).toEqual([])
})

test.each<[unknown, string]>([
  [{ sid: 1 }, 'sid is the id of a session, or absent'],
  [{ sid: '' }, 'sid is the id of a session, or absent'],
  [{ keep: 'x'.repeat(129) }, 'keep is the id of a session, or absent'],
  [{ sid: 'a', keep: 'b' }, 'give sid or keep, not both'],
  [{ reason: 'x'.repeat(201) }, 'reason is a sentence of up to 200 characters without line breaks, or absent'],
  ...[
    'one\ntwo',
    '  ',
    '\u3000',
    'a\u2028b',
    'a\u0000',
    'a\u001b[2J',
    'a\u202eb',
    '\u2066a',
    'a\ud800',
    `${' '.repeat(20_000)}\n`,
  ].map((text): [unknown, string] => [
    { reason: text },
    'reason is a sentence of up to 200 characters without line breaks, or absent',
  ]),
  [{ session: 'a' }, 'there is no member "session": there are sid, keep and reason'],
  [[], 'the body is an object with sid, keep and reason, or absent'],
  ['all', 'the body is an object with sid, keep and reason, or absent'],
  [null, 'the body is an object with sid, keep and reason, or absent'],
])('the body %j is refused by name', async (json, detail) => {
  expect(await end(a, 'somebody', json)).toMatchObject({ status: 422, body: { code: 'INVALID', detail } })
})

test('whoever may not end them is told so before the body is looked at', async () => {
  const at = `${a}/v1/users/somebody/end`
  const refused = { status: 403, body: { code: 'FORBIDDEN' } }
  expect(await request(at, { method: 'POST', bearer: narrowApiKey, json: { session: 'a' } })).toMatchObject(refused)
  const { access_token: bearer } = await webToken(a, 'mallory')
  expect((await request(at, { method: 'POST', bearer, json: [] })).body).toMatchObject({ code: 'SCOPE_MISSING' })
})

test('one login more than a limit ends the oldest, whose page is told that it was replaced', async () => {
  const phone = await phoneToken(a, 'dora')
  const agent = 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1'
  const onPhone = async (origin: string): Promise<TokenSet> => {
    const created = await createTicket(origin, { headers: { 'user-agent': agent } })
    await scan(origin, created.ticket, phone)
    await confirm(origin, created.ticket, phone)
    return (await redeem(origin, created.device_code)).body
  }
  const desk = await webToken(a, 'dora')
  const old = await onPhone(a)
  const live = connectLive(b, { token: old.access_token })
  await live.next('connect')
  const next = await onPhone(b)
  expect(await live.next('ended')).toEqual({ code: 'REPLACED' })
  expect(await refresh(a, old)).toMatchObject({ status: 400, body: { error: 'invalid_grant', code: 'REPLACED' } })
  for (const tokens of [desk, next]) expect((await refresh(b, tokens)).status).toBe(200)
})

interface Raced {
  user: string
  /** Logged in before the race. */
  tokens: TokenSet
  /** The device code of a login that is confirmed. */
  code: string
}

/** Races an end against all that gives tokens, on two nodes. Resolves with what the racers were answered. */
const race = async ([near, far]: readonly [string, string], { user, tokens, code }: Raced, turns: number) => {
  const ending = (async () => {
    for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
    const ended = await until(
      () => end(far, user),
      ({ status }) => status !== 503,
    )
    expect(ended.status).toBe(202)
    // Whatever is still under way: calls that begin now give nothing.
    const late = await Promise.all([
      ...[near, far].map(async (origin) => (await refresh(origin, tokens)).status),
      ...[near, far].map(async (origin) => (await list(origin, tokens.access_token)).status),
      redeem(near, code).then(({ status }) => status),
    ])
    expect(late).toEqual([400, 400, 401, 401, 400])
  })()
  const connecting = connectLive(near, { token: tokens.access_token, reconnection: false })
  const [refreshed, redeemed] = await Promise.all([refresh(near, tokens), redeem(far, code), ending])
  // A call that began before the end may have been answered. What it gave is worth nothing.
  for (const { status, body } of [refreshed, redeemed]) {
    if (status !== 200) continue
    expect((await refresh(near, body)).status).toBe(400)
    expect((await list(far, body.access_token)).status).toBe(401)
  }
  const { socket } = connecting
  // Refused, or sent away for good.
  await until(
    async () => socket.active,
    (isActive) => !isActive,
  )
  socket.close()
  return [refreshed.status, redeemed.status]
}

const races = [
  ['one Redis', 100, async (): Promise<[string, string]> => [a, b]],
  [
    'a Redis Cluster',
    24,
    async (): Promise<[string, string]> => {
      const { url } = await startRedisCluster()
      const start = (nodeId: string) => startGateway({ redisUrl: url, nodeId, origin: 'http://race.test' })
      const [first, second] = await Promise.all(['a', 'b'].map(start))
      return [first?.origin ?? '', second?.origin ?? '']
    },
  ],
] as const
test.each(races)('with %s no token is given or refreshed after the answer to an end', async (_, rounds, open) => {
  const nodes = await open()
  const before: [number, number][] = []
  /** Whether each racer has won once: otherwise nothing was raced. */
  const wasRaced = () => [0, 1].every((which) => new Set(before.map((statuses) => statuses[which])).size === 2)
  let next = 0
  const racer = async (name: string): Promise<void> => {
    const phone = await phoneToken(nodes[0], name)
    const { sub: user } = claimsOf(phone)
    while (next < rounds || (!wasRaced() && next < 10 * rounds)) {
      const round = next++
      const tokens = (await redeem(nodes[0], await confirmed(nodes[1], phone))).body
      const code = await confirmed(nodes[0], phone)
      const [refreshed = 0, redeemed = 0] = await race(nodes, { user, tokens, code }, round % 40)
      before.push([refreshed, redeemed])
    }
  }
  await Promise.all(Array.from({ length: 8 }, (_, i) => racer(`racer-${i}`)))
  expect(before.length).toBeGreaterThanOrEqual(rounds)
  for (const which of [0, 1]) expect(new Set(before.map((statuses) => statuses[which]))).toEqual(new Set([200, 400]))
})

test('the command of docs/login.md ends a person', async () => {
  await ensurePrograms(['curl'], () => {})
  const [command] = documented('docs/login.md', 'End the sessions of a person')
  const tokens = await webToken(a, 'a reader')
  const code = (command?.code ?? '').replaceAll('https://login.example.com', b)
  const printed = await runShell(code, { cwd: import.meta.dirname, env: { KEY: testApiKey, SUB: tokens.user } })
  expect(JSON.parse(printed)).toEqual({ ended: 1 })
  expect(await refresh(a, tokens)).toMatchObject({ body: { reason: 'Your password was changed.' } })
})
