import { createHash, hkdfSync } from 'node:crypto'
import { type Page, type SessionList, type SessionsEnded, type TokenSet, WX_CODE_GRANT } from '@saoma/protocol'
import { createKeys, createRedis } from '@saoma/redis'
import {
  type Answer,
  type Cluster,
  confirm,
  connectLive,
  connectWs,
  createTicket,
  onCleanup,
  openEvents,
  phoneToken,
  redeem,
  refresh as refreshAt,
  request,
  scan,
  startCluster,
  testApiKey,
  webToken,
} from '@saoma/testing'
import { compactDecrypt, importJWK, type JWK, SignJWT } from 'jose'
import { type BusinessServer, json, startBusinessServer } from './business-server.ts'
import { nodeAt, openOperator, untilHeld } from './fixtures.ts'

const secret = 'a secret of tests, which this file knows'

let cluster: Cluster
let a: string
let b: string
let business: BusinessServer

beforeAll(async () => {
  business = await startBusinessServer(json({ uid: 'somebody' }))
  cluster = await startCluster({ nodes: 2, env: { SAOMA_SECRET: secret, SAOMA_AUTH_URL: business.url } })
  const [first = '', second = ''] = cluster.nodes.map(({ origin }) => origin)
  a = first
  b = second
})

type Ended = SessionsEnded & { code?: string }
const list = (origin: string, bearer: string) => request<SessionList>(`${origin}/v1/sessions`, { bearer })
const end = (origin: string, bearer: string, path = ''): Promise<Answer<Ended>> =>
  request(`${origin}/v1/sessions${path}`, { method: 'DELETE', bearer })
const sidsOf = ({ body }: Answer<SessionList>) => body.sessions.map(({ sid }) => sid)
const currentSid = async ({ access_token: token }: TokenSet): Promise<string> => {
  const mine = (await list(a, token)).body.sessions.find(({ current }) => current)
  if (!mine) throw new Error('a session that is not in its own list')
  return mine.sid
}
const refresh = ({ refresh_token: token }: TokenSet) => refreshAt(a, token)
const outcomes = (answers: readonly Answer<unknown>[]) => answers.map(({ status }) => status).sort()
const programToken = async (name: string): Promise<string> => {
  const form = { grant_type: WX_CODE_GRANT, client_id: 'miniprogram', code: `demo:${name}` }
  return (await request<TokenSet>(`${a}/oidc/token`, { form })).body.access_token
}
const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())

test('a person sees their logins from any device, as the phone was shown them', async () => {
  const phone = await phoneToken(a, 'anna')
  expect((await list(b, phone)).body).toEqual({ sessions: [] })
  const agent =
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36'
  const { device_code: deviceCode, ticket } = await createTicket(cluster.origin, { headers: { 'user-agent': agent } })
  const shown = (await scan(a, ticket, phone)).body.request
  await confirm(a, ticket, phone)
  const first = (await redeem(cluster.origin, deviceCode)).body
  const second = await webToken(cluster.origin, 'anna')

  const { status, headers, body } = await list(b, first.access_token)
  expect([status, headers.get('cache-control')]).toEqual([200, 'no-store'])
  const { app, ip, browser, os } = shown
  expect(browser).toBe('Chrome 126')
  expect(body.sessions).toEqual([
    expect.objectContaining({ sid: claimsOf(second.access_token).sid, current: false }),
    {
      sid: claimsOf(first.access_token).sid,
      client: 'web',
      app,
      ip,
      browser,
      os,
      since: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      current: true,
    },
  ])
  for (const token of [phone, await programToken('anna')])
    expect((await list(a, token)).body.sessions.map(({ current }) => current)).toEqual([false, false])
  expect((await list(a, await phoneToken(a, 'bert'))).body).toEqual({ sessions: [] })
})

// The next session lives on.
test('a session ended by a phone is over on the other node within a second, on every door', async () => {
  const [gone, kept] = [await webToken(cluster.origin, 'carl'), await webToken(cluster.origin, 'carl')]
  const phone = await phoneToken(b, 'carl')
  const sid = await currentSid(gone)
  const live = connectLive(a, { token: gone.access_token })
  const other = connectLive(a, { token: kept.access_token })
  await Promise.all([live.next('connect'), other.next('connect')])
  await other.subscribe({ channel: '@user' })
  const plain = await connectWs(a)
  await plain.ask({ op: 'auth', token: gone.access_token })
  const stream = await openEvents(`${a}/v1/messages?channel=@user`, { bearer: gone.access_token })
  await stream.next('subscribed')
  const { epoch, offset } = (await request<Page>(`${a}/v1/channels/@user/messages`, { bearer: gone.access_token })).body
  const polled = request(`${a}/v1/channels/@user/messages?epoch=${epoch}&after=${offset}&wait=25`, {
    bearer: gone.access_token,
  })
  // The event stream is the other one.
  await untilHeld(nodeAt(cluster.nodes, 0), 2)

  expect(await end(b, phone, `/${sid}`)).toMatchObject({ status: 200, body: { ended: 1 } })
  expect(await live.next('ended')).toEqual({ code: 'REVOKED' })
  expect(await plain.next()).toBe('{"code":1,"msg":"Not Auth","error":"REVOKED"}')
  expect((await stream.next('ended')).data).toEqual({ code: 'REVOKED' })
  expect(await polled).toMatchObject({ status: 401, body: { code: 'REVOKED' } })
  expect(await live.next('disconnect')).toBe('io server disconnect')
  expect(await plain.closed()).toEqual({ code: 4401, reason: 'ended' })
  await stream.ended

  expect(await refresh(gone)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
  for (const origin of [a, b]) {
    expect(await list(origin, gone.access_token)).toMatchObject({ status: 401, body: { code: 'REVOKED' } })
    expect(await end(origin, gone.access_token)).toMatchObject({ status: 401, body: { code: 'REVOKED' } })
  }
  expect(sidsOf(await list(a, phone))).toEqual([await currentSid(kept)])
  expect((await refresh(kept)).status).toBe(200)
  expect(other.pending('ended')).toEqual([])
  expect(other.socket.connected).toBe(true)
})

test('only its owner ends a session, once and by its own name', async () => {
  const mine = await webToken(cluster.origin, 'dora')
  const [phone, stranger] = [await phoneToken(a, 'dora'), await phoneToken(a, 'mallory')]
  const sid = await currentSid(mine)
  const notFound = { status: 404, body: { code: 'SESSION_NOT_FOUND', react: 'stop' } }
  expect(await end(a, stranger, `/${sid}`)).toMatchObject(notFound)
  expect(await end(a, stranger)).toMatchObject({ status: 200, body: { ended: 0 } })
  for (const wrong of ['x', '..%2f..', 'x'.repeat(22), `${sid}x`, '%00', 'x'.repeat(2_000)])
    expect([wrong, (await end(a, phone, `/${wrong}`)).body.code]).toEqual([wrong, 'SESSION_NOT_FOUND'])
  expect((await refresh(mine)).status).toBe(200)
  expect(await end(a, phone, `/${sid}`)).toMatchObject({ body: { ended: 1 } })
  for (const origin of [a, b]) expect(await end(origin, phone, `/${sid}`)).toMatchObject(notFound)
})

test('one of many devices on two nodes that end one session does it', async () => {
  const phone = await phoneToken(a, 'eve')
  for (let round = 0; round < 5; round++) {
    const sid = await currentSid(await webToken(cluster.origin, 'eve'))
    const answers = await Promise.all(Array.from({ length: 10 }, (_, i) => end(i % 2 ? a : b, phone, `/${sid}`)))
    expect(outcomes(answers)).toEqual([200, ...Array(9).fill(404)])
  }
})

test('a person ends all other sessions, then all, and racing ends count each one once', async () => {
  const [here, ...rest] = await Promise.all(Array.from({ length: 4 }, () => webToken(cluster.origin, 'fred')))
  if (!here) throw new Error('nobody is logged in')
  expect(await end(b, here.access_token, '?keep=all')).toMatchObject({ status: 422, body: { code: 'INVALID' } })
  const answers = await Promise.all([a, b, a].map((origin) => end(origin, here.access_token, '?keep=current')))
  expect(answers.reduce((sum, { body }) => sum + body.ended, 0)).toBe(3)
  expect(sidsOf(await list(b, here.access_token))).toEqual([await currentSid(here)])
  expect(outcomes(await Promise.all(rest.map(refresh)))).toEqual([400, 400, 400])

  const live = connectLive(a, { token: here.access_token })
  await live.next('connect')
  expect(await end(b, here.access_token)).toMatchObject({ status: 200, body: { ended: 1 } })
  expect(await live.next('ended')).toEqual({ code: 'REVOKED' })
  expect(await list(a, here.access_token)).toMatchObject({ status: 401, body: { code: 'REVOKED' } })
})

test('a login redeemed while all sessions end is never live and not listed', async () => {
  const phone = await phoneToken(a, 'gina')
  const redeemed = async (): Promise<void> => {
    const { device_code: deviceCode, ticket } = await createTicket(a)
    await scan(a, ticket, phone)
    await confirm(a, ticket, phone)
    const [answer] = await Promise.all([redeem(a, deviceCode), end(b, phone), end(a, phone)])
    const { status, body } = answer
    if (status !== 200) return expect(body).toMatchObject({ error: 'invalid_grant' })
    const own = await list(b, body.access_token)
    if (own.status === 200) expect(sidsOf(own)).toContain(claimsOf(body.access_token).sid)
    else expect(own).toMatchObject({ status: 401, body: { code: 'REVOKED' } })
  }
  for (let round = 0; round < 40; round++) await redeemed()
})

test('a session lasts as long as its refresh token, or as its access token without one', async () => {
  const { redis } = cluster
  const data = await openOperator(redis.url)
  const lifeOf = async (tokens: TokenSet) => {
    const id = createHash('sha256')
      .update(await currentSid(tokens))
      .digest('base64url')
    return data.ttl(createKeys('saoma').oidc('Grant', id))
  }
  const long = await webToken(cluster.origin, 'zoe')
  expect(await lifeOf(long)).toBeGreaterThan(13 * 86_400)
  const { device_code: deviceCode, ticket } = await createTicket(cluster.origin, {
    form: { client_id: 'web', scope: 'openid' },
  })
  const phone = await phoneToken(a, 'zoe')
  await scan(a, ticket, phone)
  await confirm(a, ticket, phone)
  const short = (await redeem(cluster.origin, deviceCode)).body
  expect(short.refresh_token).toBeUndefined()
  expect(await lifeOf(short)).toBeLessThanOrEqual(11 * 60)
  expect((await refresh(long)).status).toBe(200)
  expect(await lifeOf(long)).toBeGreaterThan(13 * 86_400)
})

// The list is right by then, and nothing is kept.
test('the other devices of a person hear on both nodes when a login begins or ends', async () => {
  const [program, stranger] = [await programToken('lena'), await programToken('mona')]
  const here = await webToken(a, 'lena')
  const lives = [here.access_token, program, stranger].map((token, i) => connectLive(i % 2 ? b : a, { token }))
  for (const live of lives) {
    await live.next('connect')
    expect(await live.subscribe({ channel: '@user' })).toMatchObject({ ok: true })
  }
  const [near, far, other] = lives
  if (!near || !far || !other) throw new Error('nobody listens')
  const told = (change: string) => ({
    channel: `user:${here.user}`,
    event: 'session',
    data: { change },
    time: expect.any(Number),
  })

  const redeemed = webToken(a, 'lena')
  expect(await far.next('volatile')).toEqual(told('began'))
  const listed = sidsOf(await list(b, program))
  const { sid } = claimsOf((await redeemed).access_token)
  expect(listed).toEqual([sid, claimsOf(here.access_token).sid])
  expect(await near.next('volatile')).toEqual(told('began'))

  const ended = end(b, program, `/${sid}`)
  expect(await near.next('volatile')).toEqual(told('ended'))
  expect(sidsOf(await list(a, program))).toEqual([claimsOf(here.access_token).sid])
  expect(await far.next('volatile')).toEqual(told('ended'))
  expect(await ended).toMatchObject({ status: 200 })

  expect((await request<Page>(`${a}/v1/channels/@user/messages`, { bearer: program })).body.messages).toEqual([])
  for (const live of lives) expect([live.pending('volatile'), live.pending('message')]).toEqual([[], []])
})

test('a log-out takes its session off the list', async () => {
  const [leaves, stays] = [await webToken(cluster.origin, 'hugo'), await webToken(cluster.origin, 'hugo')]
  await request(`${b}/oidc/token/revocation`, { form: { token: leaves.refresh_token ?? '', client_id: 'web' } })
  expect(sidsOf(await list(a, stays.access_token))).toEqual([await currentSid(stays)])
})

test('a session with a lost list or half an end does not survive its next refresh', async () => {
  const { data, keys, close } = await createRedis({ url: cluster.redis.url, probeMs: 0 })
  onCleanup(close)
  const phone = await phoneToken(a, 'ines')
  const { sub } = claimsOf(phone)
  const lost = await webToken(cluster.origin, 'ines')
  // As a shard that lost its data does, while the session itself lies on another.
  await data.unlink(keys.sessions(sub))
  expect(await end(a, phone)).toMatchObject({ status: 200, body: { ended: 0 } })
  expect(await refreshAt(b, lost.refresh_token)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })

  const half = await webToken(cluster.origin, 'ines')
  await data.hset(keys.sessions(sub), claimsOf(half.access_token).sid, '')
  expect(await refreshAt(b, half.refresh_token)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
  for (const { access_token: token } of [lost, half]) {
    const grant = keys.oidc('Grant', createHash('sha256').update(claimsOf(token).sid).digest('base64url'))
    expect(await data.exists(grant)).toBe(0)
  }
})

test('nobody but the person may list or end their sessions', async () => {
  const redis = await openOperator(cluster.redis.url)
  const [{ kid, sealed }] = JSON.parse((await redis.get(createKeys('saoma').signingKeys())) ?? '')
  const key = new Uint8Array(hkdfSync('sha256', secret, '', 'saoma signing keys', 32))
  const jwk: JWK = JSON.parse(new TextDecoder().decode((await compactDecrypt(sealed, key)).plaintext))
  const old = await new SignJWT({ client_id: 'web', sid: 'x'.repeat(22), scope: 'openid' })
    .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid })
    .setIssuer(`${cluster.origin}/oidc`)
    .setAudience(cluster.origin)
    .setSubject('somebody')
    .setExpirationTime(Math.floor(Date.now() / 1000) - 60)
    .sign(await importJWK(jwk))

  const forged = `${await phoneToken(a, 'ida')}x`
  const refusals: [string, number, string][] = [
    ['', 401, 'UNAUTHORIZED'],
    [forged, 401, 'UNAUTHORIZED'],
    [old, 401, 'TOKEN_EXPIRED'],
    [testApiKey, 403, 'FORBIDDEN'],
    ['a token of the business', 403, 'FORBIDDEN'],
  ]
  for (const [token, status, code] of refusals) {
    const bearer = token.replaceAll(' ', '-')
    for (const answer of [await list(a, bearer), await end(a, bearer), await end(a, bearer, `/${'x'.repeat(22)}`)])
      expect({ token, status: answer.status, body: answer.body }).toMatchObject({ token, status, body: { code } })
  }
  expect(await request(`${a}/v1/sessions`, { method: 'POST' })).toMatchObject({ status: 405 })
})

test('a mini-program as an application has channels and sessions, but decides no login', async () => {
  const [token, phone] = [await programToken('jack'), await phoneToken(a, 'jack')]
  const [mine, phones] = [claimsOf(token), claimsOf(phone)]
  expect(mine).toMatchObject({ aud: cluster.origin, client_id: 'miniprogram', sub: phones.sub })
  expect(mine.sid).toBeUndefined()
  expect(phones.aud).toBe(`${cluster.origin}/v1`)

  const { ticket } = await createTicket(a)
  expect(await scan(a, ticket, token)).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } })
  expect(await scan(a, ticket, phone)).toMatchObject({ status: 200 })
  expect(await confirm(a, ticket, token)).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } })

  const live = connectLive(b, { token })
  await live.next('connect')
  expect(await live.subscribe({ channel: '@user' })).toMatchObject({ ok: true, channel: `user:${mine.sub}` })
  await webToken(a, 'jack')
  expect(await end(b, token)).toMatchObject({ status: 200, body: { ended: 1 } })
  expect(live.pending('ended')).toEqual([])
})

test('a client that asks too often waits', async () => {
  const strict = await startCluster({ nodes: 1, env: { SAOMA_LIMIT_DECISIONS: '3' } })
  const phone = await phoneToken(strict.origin, 'kate')
  const answers = []
  for (let i = 0; i < 4; i++) answers.push(await list(strict.origin, phone))
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429])
  expect(Number(answers[3]?.headers.get('retry-after'))).toBeGreaterThan(0)
  await strict.stop()
})
