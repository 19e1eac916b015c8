import type { Inbox, TokenSet } from '@saoma/protocol'
import {
  type Cluster,
  connectLive,
  narrowApiKey,
  publish,
  request,
  startCluster,
  testApiKey,
  webToken,
} from '@saoma/testing'
import { failuresOf, nodeAt } from './fixtures.ts'

let cluster: Cluster
let origin: string
let alice: TokenSet & { user: string }

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2 })
  origin = cluster.origin
  alice = await webToken(origin, 'alice')
})

/** Turn by turn one node and the other, past nginx. */
const door = (i: number): string => nodeAt(cluster.nodes, i).origin
const get = (path: string, bearer: string) => request(`${origin}/v1/${path}`, { bearer })
const post = (path: string, bearer: string, json: unknown) => request(`${origin}/v1/${path}`, { bearer, json })

test('presence covers the whole cluster, for people who may follow and for backends', async () => {
  const channel = 'room:open-presence'
  const bob = await webToken(origin, 'bob')
  const tokens = [alice.access_token, alice.access_token, bob.access_token]
  for (const [i, token] of tokens.entries()) {
    const client = connectLive(door(i), { token })
    expect(await client.subscribe({ channel })).toMatchObject({ ok: true })
  }
  for (const bearer of [alice.access_token, testApiKey]) {
    const { status, body } = await get(`channels/${channel}/presence`, bearer)
    expect([status, body]).toEqual([
      200,
      { channel, users: expect.arrayContaining([alice.user, bob.user]), count: 2, connections: 3 },
    ])
  }
})

test('all devices and the backend share one read position, which never goes back', async () => {
  const own = `user:${alice.user}`
  for (const data of [1, 2, 3]) await publish(origin, { channel: own, event: 'n', data })
  const inbox = (channel: string, bearer: string) => get(`channels/${channel}/inbox`, bearer)
  expect(await inbox('@user', alice.access_token)).toMatchObject({ status: 200, body: { read: 0, unread: 3 } })
  const read = async (offset: number) =>
    (await post('channels/@user/read', alice.access_token, { offset })).body as Inbox
  expect(await read(2)).toEqual({ read: 2, unread: 1 })
  expect(await read(1)).toEqual({ read: 2, unread: 1 })
  expect(await read(1_000)).toEqual({ read: 3, unread: 0 })
  expect((await inbox(own, testApiKey)).body).toEqual({ read: 3, unread: 0 })
})

test('a backend ends one session of a person, and then all of them', async () => {
  const dora = await Promise.all([webToken(origin, 'dora'), webToken(origin, 'dora')])
  const sid = (token: string): unknown => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).sid
  const clients = dora.map(({ access_token: token }, i) => connectLive(door(i), { token, reconnection: false }))
  for (const client of clients) await client.next('connect')
  const [first, second] = dora
  const end = (json: unknown) => post(`users/${first?.user}/end`, testApiKey, json)
  expect(await end({ sid: sid(first?.access_token ?? '') })).toMatchObject({ status: 202, body: {} })
  expect(await clients[0]?.next('ended')).toEqual({ code: 'REVOKED' })
  expect(await clients[1]?.presence({ channel: 'room:open-presence' })).toMatchObject({ ok: true })
  const all = await request(`${origin}/v1/users/${second?.user}/end`, { method: 'POST', bearer: testApiKey })
  expect(all.status).toBe(202)
  expect(await clients[1]?.next('ended')).toEqual({ code: 'REVOKED' })
})

test('a backend deletes the messages below an offset and keeps the rest', async () => {
  const channel = 'room:read-trim'
  for (const data of [1, 2, 3]) await publish(origin, { channel, event: 'n', data }, narrowApiKey)
  const trim = (before: string) =>
    request(`${origin}/v1/channels/${channel}/messages?before=${before}`, { method: 'DELETE', bearer: narrowApiKey })
  expect(await trim('3')).toMatchObject({ status: 200, body: { trimmed: 2 } })
  expect(await trim('3')).toMatchObject({ status: 200, body: { trimmed: 0 } })
  const { body } = await get(`channels/${channel}/messages`, alice.access_token)
  expect(body).toMatchObject({ offset: 3, messages: [{ data: 3, offset: 3 }] })
})

describe('what is refused', () => {
  const person = 'person'
  test.each<[string, string, string, string | undefined, unknown, number, string]>([
    ['presence for a stranger', 'GET', 'channels/room:open-1/presence', undefined, undefined, 401, 'UNAUTHORIZED'],
    ['presence of a room without a rule', 'GET', 'channels/room:x/presence', person, undefined, 403, 'FORBIDDEN'],
    ['presence out of a key’s patterns', 'GET', 'channels/room:x/presence', narrowApiKey, undefined, 403, 'FORBIDDEN'],
    ['presence of no channel', 'GET', 'channels/lobby/presence', person, undefined, 422, 'INVALID'],
    ['presence with another method', 'POST', 'channels/room:open-1/presence', person, {}, 405, 'METHOD_NOT_ALLOWED'],
    ['somebody else’s inbox', 'GET', 'channels/user:somebody/inbox', person, undefined, 403, 'FORBIDDEN'],
    ['the inbox of a room', 'GET', 'channels/room:open-1/inbox', person, undefined, 422, 'INVALID'],
    ['a backend’s own inbox', 'GET', 'channels/@user/inbox', testApiKey, undefined, 422, 'INVALID'],
    ['reading without an offset', 'POST', 'channels/@user/read', person, {}, 422, 'INVALID'],
    ['reading up to a text', 'POST', 'channels/@user/read', person, { offset: '1' }, 422, 'INVALID'],
    ['reading up to a half', 'POST', 'channels/@user/read', person, { offset: 1.5 }, 422, 'INVALID'],
    ['reading back', 'POST', 'channels/@user/read', person, { offset: -1 }, 422, 'INVALID'],
    ['reading with an array', 'POST', 'channels/@user/read', person, [1], 422, 'INVALID'],
    ['reading for somebody else', 'POST', 'channels/user:somebody/read', person, { offset: 1 }, 403, 'FORBIDDEN'],
    ['ending by a person', 'POST', 'users/somebody/end', person, {}, 403, 'SCOPE_MISSING'],
    ['ending out of a key’s patterns', 'POST', 'users/somebody/end', narrowApiKey, {}, 403, 'FORBIDDEN'],
    ['ending nobody', 'POST', 'users/some%20body/end', testApiKey, {}, 422, 'INVALID'],
    ['ending a session that is no text', 'POST', 'users/somebody/end', testApiKey, { sid: 1 }, 422, 'INVALID'],
    ['a trim by a person', 'DELETE', 'channels/room:open-1/messages?before=2', person, undefined, 403, 'FORBIDDEN'],
    [
      'a trim of no channel by a person',
      'DELETE',
      'channels/lobby/messages?before=2',
      person,
      undefined,
      403,
      'FORBIDDEN',
    ],
    ['a trim below nothing', 'DELETE', 'channels/room:open-1/messages?before=0', testApiKey, undefined, 422, 'INVALID'],
    ['a trim of no channel', 'DELETE', 'channels/lobby/messages?before=2', testApiKey, undefined, 422, 'INVALID'],
  ])('%s: the request is refused', async (_, method, path, who, json, status, code) => {
    const bearer = who === person ? alice.access_token : who
    const answer = await request(`${origin}/v1/${path}`, {
      method,
      ...(bearer ? { bearer } : {}),
      ...(json === undefined ? {} : { json }),
    })
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    expect(answer).toMatchObject({
      status,
      body: { code, ...(code === 'INVALID' ? { detail: expect.any(String) } : {}) },
    })
  })
})

test('the preflight permits all of this to a page of an allowed origin', async () => {
  const answer = await fetch(`${origin}/v1/channels/room:open-1/messages`, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'authorization,content-type,last-event-id',
    },
  })
  const { headers } = answer
  expect([answer.status, headers.get('access-control-allow-origin')]).toEqual([204, origin])
  expect(headers.get('access-control-allow-methods')?.split(',')).toEqual(
    expect.arrayContaining(['GET', 'POST', 'DELETE']),
  )
  expect(headers.get('access-control-allow-headers')?.toLowerCase().split(',')).toEqual(
    expect.arrayContaining(['authorization', 'content-type', 'last-event-id']),
  )
})

test('no node has logged an error after all these tests', () => {
  expect(cluster.nodes.flatMap(failuresOf)).toEqual([])
})
