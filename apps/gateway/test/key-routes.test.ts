import {
  apiKeyLine,
  connectLive,
  type Gateway,
  publish,
  request,
  startGateway,
  startRedis,
  testAdminKey,
  testApiKey,
  webToken,
} from '@saoma/testing'
import { isWithin } from '../src/access/grant.ts'
import { roomsOf, upTo } from './fixtures.ts'
import { keysOf, type Made } from './key-fixtures.ts'

/* What a key may do, and which keys it may make. */

const newRoom = roomsOf('open')
const local = `saoma_local_${'k'.repeat(43)}`
let node: Gateway

beforeAll(async () => {
  const redis = await startRedis()
  node = await startGateway({
    redisUrl: redis.url,
    nodeId: 'a',
    origin: 'http://127.0.0.1',
    env: {
      SAOMA_API_KEYS: [
        apiKeyLine(testApiKey, 'room:*,user:*'),
        apiKeyLine(testAdminKey, 'room:*,user:*', 'keys:write,audit:read,sessions:end,nodes:read'),
        apiKeyLine(local, 'room:*', 'nodes:read'),
      ].join(';'),
    },
  })
})

const admin = () => keysOf(node)
const call = <T = { code?: string; detail?: string }>(path: string, bearer: string, method = 'GET', json?: unknown) =>
  request<T>(`${node.origin}/v1${path}`, { bearer, method, ...(json === undefined ? {} : { json }) })

describe('what a key may do in channels', () => {
  const acts = (key: string, channel: string) => ({
    publish: () => publish(node.origin, { channel, event: 'e', data: 1 }, key),
    'publish as CONNMIX': () => call('/mesh/publish', key, 'POST', { c: channel, d: '1' }),
    trim: () => call(`/channels/${channel}/messages?before=1`, key, 'DELETE'),
    follow: () => call(`/channels/${channel}/messages`, key),
    'follow several': () => call(`/messages?channel=${channel}`, key),
    presence: () => call(`/channels/${channel}/presence`, key),
  })
  const right = (act: string): string =>
    act.startsWith('follow') ? 'follow' : act === 'presence' ? 'presence' : 'publish'

  test.each([[['publish']], [['follow']], [['presence']], [['publish', 'presence']], [[]]])(
    'a key that may %j does only that, over HTTP and over sockets',
    async (may) => {
      const name = `may-${may.join('-') || 'nothing'}`
      const key = await admin().make({ name, channels: ['room:*', 'user:*'], may })
      const channel = newRoom()
      const statusOf = (act: string) => (may.includes(right(act)) ? 200 : 403)
      for (const [act, ask] of Object.entries(acts(key, channel))) {
        const { status } = await ask()
        expect({ act, status }).toEqual({ act, status: statusOf(act) })
      }
      const socket = connectLive(node.origin, { token: key })
      await socket.next('connect')
      const may403 = (act: string) => (may.includes(act) ? { ok: true } : { ok: false, code: 'FORBIDDEN' })
      expect(await socket.publish({ channel, event: 'e', data: 1 })).toMatchObject(may403('publish'))
      expect(await socket.subscribe({ channel })).toMatchObject(may403('follow'))
      expect(await socket.presence({ channel })).toMatchObject(may403('presence'))
      expect((await call('/channels/user:1/inbox', key)).status).toBe(statusOf('follow'))
    },
  )

  test('a follower without presence is not told who comes', async () => {
    const channel = newRoom()
    const [blind, seeing] = await Promise.all(
      [['follow'], ['follow', 'presence']].map(async (may, i) => {
        const token = await admin().make({ name: `sees-${i}`, channels: ['room:*'], may })
        const socket = connectLive(node.origin, { token })
        await socket.next('connect')
        expect(await socket.subscribe({ channel })).toMatchObject({ ok: true })
        return socket
      }),
    )
    const person = connectLive(node.origin, { token: (await webToken(node.origin, 'ada')).access_token })
    await person.next('connect')
    expect(await person.subscribe({ channel })).toMatchObject({ ok: true })
    expect(await seeing?.next('presence')).toMatchObject({ event: 'join' })
    await publish(node.origin, { channel, event: 'e', data: 1 })
    await blind?.next('message')
    expect(blind?.pending('presence')).toEqual([])
  })

  test('ending a person needs the scope and the pattern, before the body is read', async () => {
    const end = (key: string, user: string, json: unknown = {}) =>
      request<{ code?: string; detail?: string }>(`${node.origin}/v1/users/${user}/end`, { bearer: key, json })
    const without = await admin().make({ name: 'without', channels: ['user:*'] })
    expect(await end(without, 'somebody', { wrong: 1 })).toMatchObject({
      status: 403,
      body: { code: 'SCOPE_MISSING', detail: 'this needs an API key with the scope sessions:end' },
    })
    expect(await end(local, 'somebody')).toMatchObject({ status: 403, body: { code: 'SCOPE_MISSING' } })
    const ender = await admin().make({ name: 'ender', channels: ['user:a*'], scopes: ['sessions:end'], may: [] })
    expect(await end(ender, 'anna')).toMatchObject({ status: 202 })
    expect(await end(ender, 'ben')).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } })
    expect(await end(testApiKey, 'ben')).toMatchObject({ status: 202 })
  })
})

describe('which keys a key may make', () => {
  const soon = (ms: number) => new Date(Date.now() + ms).toISOString()
  let narrow: string
  const narrowEnd = soon(3_600_000)

  beforeAll(async () => {
    narrow = await admin().make({
      name: 'narrow-admin',
      channels: ['room:a*', 'user:1'],
      may: ['publish', 'follow'],
      scopes: ['keys:write', 'audit:read'],
      expiresAt: narrowEnd,
    })
  })
  const base = { channels: ['room:ab'], may: ['publish'], scopes: ['audit:read'], expiresAt: narrowEnd }

  test.each([
    ['room:ab', 'room:a*', true],
    ['room:ab*', 'room:a*', true],
    ['room:a*', 'room:a*', true],
    ['room:a', 'room:a*', true],
    ['room:*', 'room:a*', false],
    ['room:b', 'room:a*', false],
    ['user:a', 'room:a*', false],
    ['room:a*', 'room:ab*', false],
    ['room:ab', 'room:ab', true],
    ['room:ab*', 'room:ab', false],
    ['room:*', 'room:*', true],
  ])('%s within %s: %s', (wanted, own, is) => {
    expect(isWithin(wanted, own)).toBe(is)
  })

  test('one that may no more than itself', async () => {
    const { status, body } = await keysOf(node, narrow).create({ name: 'inner', ...base })
    expect([status, body]).toEqual([
      201,
      {
        ...{ key: expect.stringMatching(/^saoma_inner_/), name: 'inner', source: 'redis', ...base },
        ...{ madeAt: expect.any(String), madeBy: 'narrow-admin' },
      },
    ])
    expect((await publish(node.origin, { channel: 'room:ab', event: 'e', data: 1 }, body.key)).status).toBe(200)
  })

  test.each([
    ['a wider pattern', { channels: ['room:*'] }, 'FORBIDDEN', 'no pattern of your key covers room:*'],
    ['another pattern', { channels: ['room:ab', 'room:b'] }, 'FORBIDDEN', 'no pattern of your key covers room:b'],
    ['a wider name', { channels: ['user:1*'] }, 'FORBIDDEN', 'no pattern of your key covers user:1*'],
    ['another act', { may: ['publish', 'presence'] }, 'FORBIDDEN', 'your key may not presence itself'],
    ['all acts, by leaving them out', { may: undefined }, 'FORBIDDEN', 'your key may not presence itself'],
    [
      'another scope',
      { scopes: ['sessions:end'] },
      'SCOPE_MISSING',
      'only a key with the scope sessions:end may give it',
    ],
    ['a later end', { expiresAt: soon(7_200_000) }, 'FORBIDDEN', expect.stringContaining('your key expires at')],
    ['no end', { expiresAt: undefined }, 'FORBIDDEN', expect.stringContaining('your key expires at')],
  ])('none with %s', async (_, more, code, detail) => {
    const refused = await keysOf(node, narrow).create({ name: 'wider', ...base, ...more })
    expect(refused).toMatchObject({ status: 403, body: { code, detail } })
    expect((await admin().list('?limit=500')).body.keys.map(({ name }) => name)).not.toContain('wider')
  })

  test('it rotates and revokes what is within it, and itself, and nothing else', async () => {
    const inner = keysOf(node, narrow)
    await admin().make({ name: 'wide', channels: ['room:*'], may: ['publish'] })
    await inner.make({ name: 'within', ...base })
    for (const refused of [await inner.rotate('wide'), await inner.revoke('wide')])
      expect(refused).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } })
    expect(await inner.rotate('within')).toMatchObject({ status: 200 })
    expect(await inner.revoke('within')).toMatchObject({ status: 200, body: { name: 'within', revoked: true } })
    const { body } = await inner.rotate('narrow-admin', { overlapSeconds: 0 })
    expect(await inner.list()).toMatchObject({ status: 401 })
    const turned = keysOf(node, body.key)
    expect(body.expiresAt).toBe(narrowEnd)
    expect(await turned.revoke('narrow-admin')).toMatchObject({ status: 200, body: { revoked: true } })
    expect(await turned.list()).toMatchObject({ status: 401, body: { code: 'UNAUTHORIZED' } })
  })
})

test('every route asks for the scope before it reads a body', async () => {
  const outside = keysOf(node, local)
  for (const refused of [
    await outside.list(),
    await outside.create({ wrong: 1 }),
    await outside.rotate('x', { wrong: 1 }),
    await outside.revoke('x'),
  ])
    expect(refused).toMatchObject({
      status: 403,
      body: { code: 'SCOPE_MISSING', detail: 'this needs an API key with the scope keys:write' },
    })
  const person = keysOf(node, (await webToken(node.origin, 'ada')).access_token)
  expect(await person.list()).toMatchObject({ status: 403, body: { code: 'SCOPE_MISSING' } })
})

test('a name is given once, in whichever source, and a repeated create makes no second secret', async () => {
  const first = await admin().make({ name: 'once', channels: ['room:*'] })
  expect(await admin().create({ name: 'once', channels: ['room:*'] })).toMatchObject({
    status: 409,
    body: { code: 'NAME_TAKEN' },
  })
  const raced = await Promise.all(upTo(10).map(() => admin().create({ name: 'raced', channels: ['room:*'] })))
  expect(raced.map(({ status }) => status).sort()).toEqual([201, ...upTo(9).map(() => 409)])
  expect((await publish(node.origin, { channel: 'room:open-1', event: 'e', data: 1 }, first)).status).toBe(200)
  const inFile = 'this key is a line of SAOMA_API_KEYS: change that list'
  expect(await admin().create({ name: 'local', channels: ['room:*'] })).toMatchObject({
    status: 409,
    body: { code: 'NAME_TAKEN', detail: inFile },
  })
  for (const refused of [await admin().rotate('local'), await admin().revoke('local')])
    expect(refused).toMatchObject({ status: 403, body: { code: 'FORBIDDEN', detail: inFile } })
  expect(await admin().rotate('nobody')).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } })
  expect(await admin().revoke('nobody')).toMatchObject({ status: 200, body: { name: 'nobody', revoked: false } })
})

test('of concurrent rotations each is whole, and the last secret is good', async () => {
  const former = await admin().make({ name: 'spun', channels: ['room:*'] })
  const turned = await Promise.all(upTo(5).map(() => admin().rotate('spun')))
  expect(turned.map(({ status }) => status)).toEqual(upTo(5).map(() => 200))
  const statuses = await Promise.all(
    [former, ...turned.map(({ body }) => body.key)].map(
      async (key) => (await publish(node.origin, { channel: 'room:open-1', event: 'e', data: 1 }, key)).status,
    ),
  )
  // The newest, and the three before it.
  expect(statuses.filter((status) => status === 200)).toHaveLength(4)
})

test('the list has pages, and a cursor survives changes', async () => {
  await Promise.all(upTo(5).map((i) => admin().make({ name: `page-${i}`, channels: [] })))
  const all = (await admin().list('?limit=500')).body.keys.map(({ name }) => name)
  const first = (await admin().list('?limit=3')).body
  expect(first.keys.map(({ name }) => name)).toEqual(all.slice(0, 3))
  await admin().make({ name: 'AAA', channels: [] })
  const rest = (await admin().list(`?limit=500&cursor=${first.cursor}`)).body
  expect(rest.keys.map(({ name }) => name)).toEqual(all.slice(3))
  expect(rest).not.toHaveProperty('cursor')
  expect((await admin().list('?limit=500')).body.keys.find(({ name }) => name === 'local')).toMatchObject({
    source: 'file',
    scopes: ['nodes:read'],
  })
})

test.each<[string, unknown, string]>([
  ['no object', [1], 'the body is an object'],
  ['an unknown member', { name: 'x', chanels: [] }, 'there is no member "chanels"'],
  ['no name', { channels: [] }, 'the member name is missing'],
  ['a bad name', { name: 'my shop' }, 'name must be 1 to 32 of A-Z, a-z, 0-9 and -'],
  ['a bad pattern', { name: 'x', channels: ['lobby'] }, 'channels has patterns such as room:*'],
  ['two patterns in one', { name: 'x', channels: ['room:a,room:b'] }, 'channels has patterns such as room:*'],
  ['a pattern twice', { name: 'x', channels: ['room:a', 'room:a'] }, 'channels has a pattern twice'],
  [
    'too many patterns',
    { name: 'x', channels: upTo(65).map((i) => `room:${i}`) },
    'channels has at most 64 patterns, of 2048 characters together',
  ],
  ['an unknown act', { name: 'x', may: ['read'] }, 'may has publish, follow, presence'],
  [
    'an unknown scope',
    { name: 'x', scopes: ['all'] },
    expect.stringMatching(/^scopes has scopes: there are accounts:read/) as unknown as string,
  ],
  ['a time that has passed', { name: 'x', expiresAt: '2020-01-01T00:00:00Z' }, 'expiresAt is a time to come'],
  ['no time', { name: 'x', expiresAt: 'tomorrow' }, 'expiresAt is a time such as 2026-11-30T09:00:00Z'],
])('a new key with %s is refused by name', async (_, json, detail) => {
  expect(await admin().create(json)).toMatchObject({ status: 422, body: { code: 'INVALID', detail } })
})

test.each<[string, string]>([
  ['?limit=0', 'limit is a whole number above 0'],
  ['?limit=1&limit=2', 'limit may be there once only'],
  ['?cursor=x', 'cursor is that of the page before'],
  ['?name=x', 'there is no parameter "name"'],
])('a list with %s is refused', async (query, detail) => {
  expect(await admin().list(query)).toMatchObject({ status: 422, body: { code: 'INVALID', detail } })
})

test('a rotation with a wrong overlap, and a body that is too large, are refused', async () => {
  await admin().make({ name: 'still', channels: [] })
  for (const overlapSeconds of [-1, 1.5, 2_592_001, '1'])
    expect(await admin().rotate('still', { overlapSeconds })).toMatchObject({ status: 422, body: { code: 'INVALID' } })
  const large = { name: 'large', channels: [`room:${'x'.repeat(20_000)}`] }
  expect(await admin().create(large)).toMatchObject({
    status: 413,
    body: { code: 'TOO_LARGE' } satisfies Partial<Made>,
  })
})
