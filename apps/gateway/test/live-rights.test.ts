import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createKeys } from '@saoma/redis'
import {
  ageRefreshToken,
  apiKeyLine,
  type Cluster,
  connectLive,
  type LiveClient,
  narrowApiKey,
  onCleanup,
  phoneToken,
  publish,
  refresh,
  request,
  startCluster,
  testApiKey,
  webToken,
} from '@saoma/testing'
import { type BusinessServer, json, startBusinessServer } from './business-server.ts'
import { openOperator } from './fixtures.ts'

const [oldKey, newKey] = ['one', 'two'].map((name) => `saoma_${name}_${'k'.repeat(43)}`) as [string, string]
const lines = {
  test: apiKeyLine(testApiKey, 'room:*,user:*'),
  narrow: apiKeyLine(narrowApiKey, 'room:read-*'),
  old: apiKeyLine(oldKey, 'room:*'),
  new: apiKeyLine(newKey, 'room:*'),
}

let cluster: Cluster
let a: string
let b: string
let auth: BusinessServer
let hook: BusinessServer

const folder = mkdtempSync(join(tmpdir(), 'saoma-rights-'))
onCleanup(() => rmSync(folder, { recursive: true }))
const keyFile = join(folder, 'keys')
const writeKeys = (...keys: string[]): void => {
  writeFileSync(`${keyFile}.new`, keys.join('\n'))
  renameSync(`${keyFile}.new`, keyFile)
}

/** The business's tokens say for themselves what it answers: `uid=1001&expiresIn=60`. */
const answerToken: BusinessServer['answer'] = (res, question) => {
  const { uid, expiresIn, rooms } = Object.fromEntries(new URLSearchParams(String(question.body.token)))
  if (!uid) return json({}, 401)(res, question)
  json({ uid, ...(expiresIn ? { expiresIn: Number(expiresIn) } : {}), ...(rooms ? { rooms: rooms.split(',') } : {}) })(
    res,
    question,
  )
}

beforeAll(async () => {
  writeKeys(lines.test, lines.narrow, lines.old)
  auth = await startBusinessServer(answerToken)
  hook = await startBusinessServer(json({ allow: true }))
  cluster = await startCluster({
    nodes: 2,
    env: { SAOMA_API_KEYS: keyFile, SAOMA_AUTH_URL: auth.url, SAOMA_HOOK_URL: hook.url },
  })
  const [first = '', second = ''] = cluster.nodes.map(({ origin }) => origin)
  a = first
  b = second
})

const connected = async (origin: string, token: string): Promise<LiveClient> => {
  const live = connectLive(origin, { token })
  await live.next('connect')
  return live
}
/** Why a connection was refused. */
const refusal = async (origin: string, token: string): Promise<unknown> => {
  const live = connectLive(origin, { token, reconnection: false })
  const { data } = await live.next('connect_error')
  live.close()
  return data
}
const code = (answer: object) => ('code' in answer ? answer.code : answer)
const revoke = (origin: string, refreshToken: string | undefined) =>
  request(`${origin}/oidc/token/revocation`, { form: { token: refreshToken ?? '', client_id: 'web' } })

test('the end of a token is announced and closes the socket, unless a newer token comes', async () => {
  const stays = await connected(a, 'uid=stays&expiresIn=5')
  const short = await connected(a, 'uid=short&expiresIn=6')
  await stays.subscribe({ channel: '@user' })
  await stays.next('expiring')
  const answer = await stays.refresh({ token: 'uid=stays&expiresIn=600' })
  expect(answer).toMatchObject({ ok: true, expiresIn: expect.any(Number) })
  expect(answer.ok && answer.expiresIn).toBeGreaterThan(500)

  const { expiresIn } = await short.next('expiring')
  expect(expiresIn).toBeGreaterThan(0)
  expect(expiresIn).toBeLessThanOrEqual(6)
  expect(await short.next('ended')).toEqual({ code: 'TOKEN_EXPIRED' })
  expect(await short.next('disconnect')).toBe('io server disconnect')

  // The other one's first token was over before that.
  await publish(b, { channel: 'user:stays', event: 'e', data: 1 })
  expect(await stays.next('message')).toMatchObject({ channel: 'user:stays', offset: 1 })
  expect(stays.pending('ended')).toEqual([])
})

// The end of a short life is announced at half of it.
test('each end of a token is announced once, however often the token is brought', async () => {
  const live = await connected(a, 'uid=brief&expiresIn=8')
  const first = await live.next('expiring')
  expect(first.expiresIn).toBeLessThanOrEqual(4)
  // The same token with the same end: there is nothing new to tell.
  await live.refresh({ token: 'uid=brief&expiresIn=8' })
  await live.refresh({ token: 'uid=brief&expiresIn=9' })
  const second = await live.next('expiring')
  expect(second.expiresIn).toBeLessThanOrEqual(5)
  expect(second.expiresIn).toBeGreaterThan(2)
  await live.refresh({ token: 'uid=brief&expiresIn=9' })
  expect(await live.next('ended')).toEqual({ code: 'TOKEN_EXPIRED' })
  expect(live.pending('expiring')).toEqual([])
})

test('a newer token of somebody else and an invalid one change nothing', async () => {
  const live = await connected(a, 'uid=anna')
  expect(code(await live.refresh({ token: 'uid=bert' }))).toBe('FORBIDDEN')
  expect(code(await live.refresh({ token: 'nonsense' }))).toBe('UNAUTHORIZED')
  expect(code(await live.refresh({ token: testApiKey }))).toBe('FORBIDDEN')
  expect(await live.subscribe({ channel: '@user' })).toMatchObject({ ok: true, channel: 'user:anna' })
})

test('revoking a session on one node ends it on the other at once, and ends no other', async () => {
  const [gone, kept] = [await webToken(cluster.origin, 'alice'), await webToken(cluster.origin, 'alice')]
  expect(gone.user).toBe(kept.user)
  const [live, other] = [await connected(b, gone.access_token), await connected(b, kept.access_token)]
  await other.subscribe({ channel: '@user' })

  await revoke(a, gone.refresh_token)
  expect(await live.next('ended')).toEqual({ code: 'REVOKED' })
  expect(await live.next('disconnect')).toBe('io server disconnect')

  for (const origin of [a, b]) {
    expect(await refusal(origin, gone.access_token)).toMatchObject({ code: 'REVOKED', react: 'reauth' })
    expect(await request(`${origin}/v1/channels/@user/messages`, { bearer: gone.access_token })).toMatchObject({
      status: 401,
      body: { code: 'REVOKED' },
    })
  }
  await publish(a, { channel: `user:${kept.user}`, event: 'e', data: 1 })
  expect(await other.next('message')).toMatchObject({ data: 1 })
  expect(other.pending('ended')).toEqual([])
})

test('the replay of a refresh token ends the sockets of its session', async () => {
  const { access_token: token, refresh_token: refreshToken = '' } = await webToken(cluster.origin, 'carol')
  const live = await connected(b, token)
  expect(await refresh(a, refreshToken)).toMatchObject({ status: 200 })
  expect(live.pending('ended')).toEqual([])
  await ageRefreshToken(cluster.redis.url, refreshToken, 61)
  expect(await refresh(a, refreshToken)).toMatchObject({ status: 400 })
  expect(await live.next('ended')).toEqual({ code: 'REVOKED' })
})

test('a backend ends the sockets of its people, who have tokens of the business', async () => {
  const [live, other] = [await connected(a, 'uid=ended'), await connected(b, 'uid=ended')]
  const bystander = await connected(b, 'uid=ended2')
  const end = (key: string) => request(`${a}/v1/users/ended/end`, { method: 'POST', bearer: key, json: {} })
  expect(await end(narrowApiKey)).toMatchObject({ status: 403 })
  expect(await end(testApiKey)).toMatchObject({ status: 202 })
  expect(await live.next('ended')).toEqual({ code: 'REVOKED' })
  expect(await other.next('ended')).toEqual({ code: 'REVOKED' })
  expect(bystander.socket.connected).toBe(true)
})

// It does not matter who issued the token.
test('nodes that could not hear of an end find it when they hear again', async () => {
  const [browser, phone] = [await webToken(cluster.origin, 'deaf'), await phoneToken(cluster.origin, 'deaf')]
  const bystander = await connected(b, (await webToken(cluster.origin, 'hearing')).access_token)
  const all = [await connected(a, browser.access_token), await connected(b, phone), await connected(a, 'uid=deaf')]
  const redis = await openOperator(cluster.redis.url)
  // As in the script of an end, but told to nobody.
  const keys = createKeys('saoma')
  for (const user of [browser.user, 'deaf']) await redis.hset(keys.channelEnds(`user:${user}`), '', 'an end')
  await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  for (const socket of all) expect(await socket.next('ended')).toEqual({ code: 'REVOKED' })

  // An end from before somebody came does not count against them.
  const again = await connected(a, browser.access_token)
  const witness = await connected(a, 'uid=witness')
  await redis.hset(keys.channelEnds('user:witness'), '', 'an end')
  await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  expect(await witness.next('ended')).toEqual({ code: 'REVOKED' })
  expect(await again.subscribe({ channel: '@user' })).toMatchObject({ ok: true })
  expect([again, bystander].flatMap((socket) => socket.pending('ended'))).toEqual([])
})

test('an end outlives an earlier yes of the business: the token gets in at no node', async () => {
  const token = 'uid=zoe&device=stolen'
  const first = await connected(a, token)
  const elsewhere = await connected(b, token)
  auth.answer = (res, question) =>
    String(question.body.token).includes('stolen') ? json({}, 401)(res, question) : answerToken(res, question)
  await request(`${b}/v1/users/zoe/end`, { bearer: testApiKey, json: {} })
  expect([await first.next('ended'), await elsewhere.next('ended')]).toEqual([{ code: 'REVOKED' }, { code: 'REVOKED' }])
  for (const origin of [a, b]) expect(await refusal(origin, token)).toMatchObject({ code: 'UNAUTHORIZED' })
  expect((await request(`${a}/v1/channels/@user/inbox`, { bearer: token })).status).toBe(401)
  const again = await connected(a, 'uid=zoe&device=new')
  expect(await again.subscribe({ channel: '@user' })).toMatchObject({ ok: true, channel: 'user:zoe' })
  auth.answer = answerToken

  // And the business is not asked about the same token again and again because of it.
  const asked = auth.questions.length
  for (let i = 0; i < 5; i++)
    expect((await request(`${a}/v1/channels/@user/inbox`, { bearer: 'uid=zoe&device=new' })).status).toBe(200)
  expect(auth.questions).toHaveLength(asked)
})

test('nobody can read the channel of somebody else, on any door', async () => {
  const live = await connected(a, 'uid=eve')
  const channel = 'user:anna'
  expect(code(await live.subscribe({ channel }))).toBe('FORBIDDEN')
  expect(code(await live.read({ channel, offset: 1 }))).toBe('FORBIDDEN')
  expect(code(await live.presence({ channel }))).toBe('FORBIDDEN')
  expect(code(await live.publish({ channel, event: 'e', data: 1 }))).toBe('FORBIDDEN')
  for (const path of ['messages', 'inbox', 'presence'])
    expect(await request(`${a}/v1/channels/${channel}/${path}`, { bearer: 'uid=eve' })).toMatchObject({ status: 403 })
  expect(await publish(a, { channel, event: 'e', data: 1 }, 'uid=eve')).toMatchObject({ status: 403 })
})

test('a key does nothing outside its channels', async () => {
  expect(await publish(a, { channel: 'room:read-1', event: 'e', data: 1 }, narrowApiKey)).toMatchObject({ status: 200 })
  expect(await publish(a, { channel: 'room:open-1', event: 'e', data: 1 }, narrowApiKey)).toMatchObject({ status: 403 })
  const live = await connected(b, narrowApiKey)
  expect(await live.subscribe({ channel: 'room:read-1' })).toMatchObject({ ok: true })
  for (const channel of ['room:open-1', 'room:rea', 'user:anna'])
    expect([channel, code(await live.subscribe({ channel }))]).toEqual([channel, 'FORBIDDEN'])
})

test('the token of the business says who is a member', async () => {
  const live = await connected(a, 'uid=member&rooms=members-1')
  expect(await live.subscribe({ channel: 'room:members-1' })).toMatchObject({ ok: true })
  expect(code(await live.subscribe({ channel: 'room:members-2' }))).toBe('FORBIDDEN')
  expect(await live.publish({ channel: 'room:members-1', event: 'e', data: 1 })).toMatchObject({ ok: true })
  expect(await live.next('message')).toMatchObject({ from: 'member' })
})

test('a phone has its own channel, too', async () => {
  const live = await connected(a, await phoneToken(cluster.origin, 'dave'))
  expect(await live.subscribe({ channel: '@user' })).toMatchObject({ ok: true })
})

test('the hook decides, and counts as unavailable while it fails or is slow', async () => {
  const live = await connected(a, 'uid=hooked')
  hook.answer = json({ allow: false })
  expect(code(await live.subscribe({ channel: 'room:hook-1' }))).toBe('FORBIDDEN')
  hook.answer = json({ allow: true }, 500)
  expect(code(await live.subscribe({ channel: 'room:hook-2' }))).toBe('BACKEND_UNAVAILABLE')

  hook.answer = (res, question) => {
    if (question.body.channel !== 'room:hook-3') json({ allow: true })(res, question)
  }
  const asked = hook.asked()
  const slow = live.subscribe({ channel: 'room:hook-3' })
  await asked
  // Nobody else waits for that.
  expect(await live.subscribe({ channel: 'room:open-1' })).toMatchObject({ ok: true })
  expect(await live.subscribe({ channel: 'room:hook-4' })).toMatchObject({ ok: true })
  expect(code(await slow)).toBe('BACKEND_UNAVAILABLE')

  hook.answer = json({ allow: true })
  expect(await live.subscribe({ channel: 'room:hook-3' })).toMatchObject({ ok: true })
  expect(await live.publish({ channel: 'room:hook-3', event: 'e', data: 1 })).toMatchObject({ ok: true })
  expect(hook.questions.at(-1)?.body).toEqual({ action: 'publish', channel: 'room:hook-3', user: 'hooked' })
  expect(hook.questions.at(-1)?.headers.authorization).toMatch(/^Bearer a secret of tests/)
})

test('a business that cannot answer lets nobody in and turns nobody away', async () => {
  auth.answer = json({}, 500)
  expect(await refusal(a, 'uid=nobody-yet')).toMatchObject({ code: 'BACKEND_UNAVAILABLE', react: 'retry' })
  auth.answer = answerToken
  expect(await refusal(a, 'nonsense')).toMatchObject({ code: 'UNAUTHORIZED' })
  await connected(a, 'uid=nobody-yet')
})

test('a stranger with many tokens delays nobody at another address', async () => {
  const open: (() => void)[] = []
  const before = auth.questions.length
  const wrong = () => auth.questions.slice(before).filter(({ body }) => body.token !== 'uid=elsewhere').length
  auth.answer = (res, question) => {
    if (question.body.token === 'uid=elsewhere') answerToken(res, question)
    else open.push(() => json({}, 401)(res, question))
  }
  const inbox = (bearer: string, address: string) =>
    request(`${a}/v1/channels/@user/inbox`, { bearer, headers: { 'x-forwarded-for': address } })
  const refused = Array.from({ length: 20 }, (_, i) => inbox(`wrong-${i}`, '198.51.100.1'))
  while (wrong() < 8) await auth.asked()
  expect((await inbox('uid=elsewhere', '203.0.113.7')).status).toBe(200)
  expect(wrong()).toBe(8)
  auth.answer = answerToken
  for (const end of open) end()
  expect(new Set((await Promise.all(refused)).map(({ status }) => status))).toEqual(new Set([401]))
})

test('the business sees no token of ours and no API key, however wrong they are', async () => {
  const { access_token: token } = await webToken(cluster.origin, 'frank')
  const forged = `${token.slice(0, -4)}AAAA`
  const mistyped = `${testApiKey.slice(0, -1)}x`
  for (const wrong of [forged, mistyped, 'saoma_', ''])
    expect([wrong, await refusal(a, wrong)]).toEqual([wrong, expect.objectContaining({ code: 'UNAUTHORIZED' })])
  await connected(a, token)
  const shown = auth.questions.map(({ body }) => body.token)
  for (const ours of [token, forged, mistyped, testApiKey, 'saoma_']) expect(shown).not.toContain(ours)
})

test('a key is replaced without a restart, and its sockets end with it', async () => {
  const sockets = [await connected(a, oldKey), await connected(b, oldKey)]
  const bystander = await connected(a, testApiKey)
  writeKeys(lines.test, lines.narrow, lines.new)
  for (const socket of sockets) expect(await socket.next('ended')).toEqual({ code: 'REVOKED' })
  for (const origin of [a, b]) {
    expect(await refusal(origin, oldKey)).toMatchObject({ code: 'UNAUTHORIZED' })
    const message = { channel: 'room:open-1', event: 'e', data: 1 }
    expect(await publish(origin, message, oldKey)).toMatchObject({ status: 401 })
    expect(await publish(origin, message, newKey)).toMatchObject({ status: 200 })
  }
  expect(bystander.socket.connected).toBe(true)

  // A file that makes no sense takes nobody's key away, and the log says what is wrong with it.
  writeKeys('what is this')
  await cluster.nodes[0]?.nextLine(({ json: line }) => line?.event === 'api-keys')
  expect(await publish(a, { channel: 'room:open-1', event: 'e', data: 1 }, newKey)).toMatchObject({ status: 200 })
})
