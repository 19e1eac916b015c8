import { createKeys } from '@saoma/redis'
import {
  type Cluster,
  connectLive,
  connectWs,
  type LiveClient,
  openEvents,
  publish,
  request,
  startCluster,
  testApiKey,
  until,
  webToken,
} from '@saoma/testing'
import { type BusinessServer, json, startBusinessServer } from './business-server.ts'
import { nodeAt, openOperator, upTo } from './fixtures.ts'
import { AUDIENCE, createJwtSigner, ISSUER, inSeconds, type JwtSigner } from './jwt-signer.ts'

/** How many people reconnect at once. */
const CROWD = 100

let key: JwtSigner
let next: JwtSigner
let keyServer: BusinessServer
/** What is asked about tokens that are not of the issuer. */
let backend: BusinessServer
let cluster: Cluster
let a: string
let b: string

const publishing = (...signers: JwtSigner[]) => json({ keys: signers.map(({ jwk }) => jwk) })

beforeAll(async () => {
  key = await createJwtSigner('first')
  next = await createJwtSigner('second', 'RS256')
  keyServer = await startBusinessServer(publishing(key))
  backend = await startBusinessServer(json({ uid: 'asked' }))
  cluster = await startCluster({
    nodes: 2,
    env: {
      SAOMA_AUTH_URL: backend.url,
      SAOMA_AUTH_JWKS: keyServer.url,
      SAOMA_AUTH_ISSUER: ISSUER,
      SAOMA_AUTH_AUDIENCE: `other, ${AUDIENCE}`,
      SAOMA_AUTH_CLAIMS: 'rooms=https://acme.example/rooms',
    },
  })
  a = nodeAt(cluster.nodes, 0).origin
  b = nodeAt(cluster.nodes, 1).origin
})

afterEach(() => {
  keyServer.answer = publishing(key)
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
const inbox = (origin: string, bearer: string) => request(`${origin}/v1/channels/@user/inbox`, { bearer })
const end = (user: string, body: object = {}) =>
  request(`${a}/v1/users/${user}/end`, { method: 'POST', bearer: testApiKey, json: body })

test('a mass reconnect asks the backend nothing, and each node for the keys once', async () => {
  const tokens = await Promise.all(upTo(CROWD).map((i) => key.sign({ sub: `crowd-${i}` })))
  const crowd = await Promise.all(tokens.map((token) => connected(cluster.origin, token)))
  expect(keyServer.questions).toHaveLength(2)
  for (const { socket } of crowd) socket.io.engine.close()
  await Promise.all(crowd.map((live) => live.next('connect')))
  for (const [i, live] of crowd.entries())
    expect(await live.subscribe({ channel: '@user' })).toMatchObject({ ok: true, channel: `user:crowd-${i}` })
  expect(backend.questions).toEqual([])
  expect(keyServer.questions).toHaveLength(2)
  for (const live of crowd) live.close()
})

test('every door takes the token, and it says who is a member', async () => {
  const token = await key.sign({ sub: 'doors', 'https://acme.example/rooms': ['members-1'] })
  const live = await connected(a, token)
  expect(await live.subscribe({ channel: 'room:members-1' })).toMatchObject({ ok: true })
  expect(await live.subscribe({ channel: 'room:members-2' })).toMatchObject({ code: 'FORBIDDEN' })
  const plain = await connectWs(b)
  expect(await plain.ask({ op: 'auth', token })).toBe('{"result":true}')
  const stream = await openEvents(`${a}/v1/messages?channel=@user`, { bearer: token })
  expect(await stream.next('subscribed')).toMatchObject({ data: { channel: 'user:doors' } })
  expect((await inbox(b, token)).status).toBe(200)
  await publish(b, { channel: 'room:members-1', event: 'e', data: 1 })
  expect(await live.next('message')).toMatchObject({ channel: 'room:members-1', data: 1 })
})

test('tokens of others still go to the backend, and those of the issuer never do', async () => {
  expect(await (await connected(a, 'some token')).subscribe({ channel: '@user' })).toMatchObject({
    channel: 'user:asked',
  })
  await connected(a, await key.sign({ iss: 'https://other.example' }))
  expect(backend.questions).toHaveLength(2)
  const { access_token: ours } = await webToken(cluster.origin, 'alice')
  const mine = await key.sign()
  const wrong = [await key.sign({ aud: 'shop' }), await key.sign({ sub: '' }), `${mine.slice(0, -4)}AAAA`]
  for (const token of wrong) expect(await refusal(b, token)).toMatchObject({ code: 'UNAUTHORIZED', react: 'reauth' })
  for (const token of [mine, ours]) await connected(b, token)
  expect(backend.questions).toHaveLength(2)
})

test('the end of a token is announced and closes the socket, unless a newer token comes', async () => {
  // With the leeway they have six seconds.
  const claims = { iat: inSeconds(-600), exp: inSeconds(-4) }
  const [short, stays] = await Promise.all(
    ['short', 'stays'].map(async (sub) => connected(a, await key.sign({ sub, ...claims }))),
  )
  if (!short || !stays) throw new Error('there are two')
  await stays.next('expiring')
  expect(await stays.refresh({ token: await key.sign({ sub: 'stays' }) })).toMatchObject({ ok: true })
  expect(await stays.refresh({ token: await key.sign({ sub: 'short' }) })).toMatchObject({ code: 'FORBIDDEN' })
  expect(await short.next('ended')).toEqual({ code: 'TOKEN_EXPIRED' })
  expect(await short.next('disconnect')).toBe('io server disconnect')
  expect(await refusal(b, await key.sign({ ...claims, exp: inSeconds(-60) }))).toMatchObject({ code: 'TOKEN_EXPIRED' })
  expect(await stays.subscribe({ channel: '@user' })).toMatchObject({ ok: true })
})

test('an ended token gets in at no node, and the next one does', async () => {
  const old = { sub: 'ended', iat: inSeconds(-60) }
  const token = await key.sign(old)
  const everywhere = await Promise.all([connected(a, token), connected(b, token)])
  const bystander = await connected(b, await key.sign({ ...old, sub: 'ended2' }))
  expect(await end('ended')).toMatchObject({ status: 202 })
  for (const live of everywhere) expect(await live.next('ended')).toEqual({ code: 'REVOKED' })
  for (const origin of [a, b]) {
    expect(await refusal(origin, token)).toMatchObject({ code: 'REVOKED', react: 'reauth' })
    expect(await inbox(origin, token)).toMatchObject({ status: 401, body: { code: 'REVOKED' } })
    // Nor does another token of that time.
    expect((await inbox(origin, await key.sign({ ...old, jti: origin }))).status).toBe(401)
    expect((await inbox(origin, await key.sign({ sub: 'ended' }))).status).toBe(200)
  }
  expect(bystander.socket.connected).toBe(true)
  // As long as a token may live.
  const redis = await openOperator(cluster.redis.url)
  expect(await redis.pttl(createKeys('saoma').channelEnds('user:ended'))).toBeGreaterThan(31 * 86_400_000)
})

test('the end of one session concerns the tokens of that session', async () => {
  const of = (sid: string) => key.sign({ sub: 'two', sid, iat: inSeconds(-60) })
  const [gone, kept] = await Promise.all([of('gone'), of('kept')])
  const [first, second] = await Promise.all([connected(a, gone), connected(b, kept)])
  expect(await end('two', { sid: 'gone' })).toMatchObject({ status: 202 })
  expect(await first.next('ended')).toEqual({ code: 'REVOKED' })
  for (const origin of [a, b]) {
    expect(await inbox(origin, gone)).toMatchObject({ status: 401, body: { code: 'REVOKED' } })
    expect((await inbox(origin, kept)).status).toBe(200)
  }
  expect(second.socket.connected).toBe(true)
})

test('an end of all sessions but one concerns all tokens but those of that session', async () => {
  const of = (sid?: string) => key.sign({ sub: 'three', iat: inSeconds(-60), ...(sid === undefined ? {} : { sid }) })
  const [gone, kept, nameless] = await Promise.all([of('gone'), of('ke pt'), of()])
  const sockets = await Promise.all([connected(a, gone), connected(b, kept), connected(b, nameless)])
  expect(await end('three', { keep: 'ke pt' })).toMatchObject({ status: 202 })
  for (const socket of [sockets[0], sockets[2]]) expect(await socket?.next('ended')).toEqual({ code: 'REVOKED' })
  for (const origin of [a, b]) {
    for (const token of [gone, nameless]) expect((await inbox(origin, token)).status).toBe(401)
    expect((await inbox(origin, kept)).status).toBe(200)
    expect((await inbox(origin, await key.sign({ sub: 'three', sid: 'gone' }))).status).toBe(200)
  }
  expect(sockets[1]?.socket.connected).toBe(true)
})

test('nodes go on with known keys while the keys are away, and begin when they come back', async () => {
  const known = await key.sign({ sub: 'known' })
  const unknown = await next.sign({ sub: 'unknown' })
  const live = await connected(a, known)
  keyServer.answer = (res) => res.destroy()
  for (const origin of [a, b]) {
    expect(await refusal(origin, unknown)).toMatchObject({ code: 'BACKEND_UNAVAILABLE', react: 'retry' })
    await connected(origin, await key.sign({ sub: 'later' }))
  }
  expect(live.socket.connected).toBe(true)

  // A node that starts meanwhile knows no key.
  await nodeAt(cluster.nodes, 0).restart()
  expect(await inbox(a, known)).toMatchObject({ status: 502, body: { code: 'BACKEND_UNAVAILABLE' } })
  expect((await inbox(a, (await webToken(a, 'bob')).access_token)).status).toBe(200)
  keyServer.answer = publishing(key, next)
  for (const origin of [a, b])
    for (const token of [known, unknown])
      await until(
        () => inbox(origin, token),
        ({ status }) => status === 200,
      )
})

test('keys that do not come in time let nobody in and turn nobody away', async () => {
  keyServer.answer = () => {}
  const before = keyServer.questions.length
  const strange = await key.sign({}, { kid: 'strange' })
  const asked = keyServer.asked()
  // The first question after a pause makes the node look.
  const waited = until(
    () => inbox(b, strange),
    () => keyServer.questions.length > before,
  )
  await asked
  expect((await inbox(b, await key.sign())).status).toBe(200)
  expect(await waited).toMatchObject({ status: 502, body: { code: 'BACKEND_UNAVAILABLE' } })
})

test('the log says why tokens are refused, and holds none', async () => {
  const token = await key.sign({ aud: 'https://shop.example', sub: 'a-name-of-somebody' })
  expect((await inbox(a, token)).status).toBe(401)
  const told = await nodeAt(cluster.nodes, 0).nextLine(({ json: line }) => line?.reason === 'audience')
  expect(told.json).toMatchObject({
    level: 'warn',
    event: 'business',
    setting: 'SAOMA_AUTH_JWKS',
    found: '"https://shop.example"',
    msg: 'a token of the business is refused: it is for another audience',
  })
  for (const { lines } of cluster.nodes) {
    const all = lines.map(({ text }) => text).join('\n')
    expect(all).not.toContain('a-name-of-somebody')
    for (const part of token.split('.')) expect(all).not.toContain(part)
  }
})

test('the people of a node that dies come back at the other one, which asks nobody', async () => {
  const tokens = await Promise.all(upTo(CROWD).map((i) => key.sign({ sub: `left-${i}` })))
  const crowd = await Promise.all(tokens.map((token) => connected(cluster.origin, token)))
  const before = { backend: backend.questions.length, keys: keyServer.questions.length }
  await nodeAt(cluster.nodes, 0).kill('SIGKILL')
  await Promise.all(
    crowd.map((live, i) =>
      until(
        () => live.subscribe({ channel: '@user' }).catch(() => undefined),
        (answer) => answer?.ok === true && answer.channel === `user:left-${i}`,
      ),
    ),
  )
  expect(crowd.filter((live) => live.pending('disconnect').length > 0).length).toBeGreaterThan(0)
  expect(backend.questions.length).toBe(before.backend)
  // A node may read the keys again in this time, whoever comes.
  expect(keyServer.questions.length - before.keys).toBeLessThanOrEqual(1)
})
