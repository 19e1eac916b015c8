import { request as open } from 'node:http'
import { createRedis, type RedisClients } from '@saoma/redis'
import {
  apiKeyLine,
  type Gateway,
  onCleanup,
  publish,
  type RedisServer,
  request,
  startGateway,
  startRedis,
  testAdminKey,
  testApiKey,
  until,
} from '@saoma/testing'
import { createKeyStore } from '../src/access/key-store.ts'
import { openOperator } from './fixtures.ts'
import { keysOf } from './key-fixtures.ts'

/* What a key must not do while it is revoked, was rotated, or is lost by Redis. */

const SECRET = 'a secret of the cluster that only this test has'
let redis: RedisServer
let clients: RedisClients
let node: Gateway

beforeAll(async () => {
  redis = await startRedis()
  clients = await createRedis({ url: redis.url, probeMs: 0 })
  onCleanup(() => clients.close())
  node = await startGateway({
    redisUrl: redis.url,
    nodeId: 'a',
    origin: 'http://127.0.0.1',
    env: {
      SAOMA_SECRET: SECRET,
      SAOMA_API_KEYS: [
        apiKeyLine(testApiKey, 'room:*,user:*'),
        apiKeyLine(testAdminKey, 'room:*,user:*', 'keys:write,audit:read,sessions:end'),
      ].join(';'),
    },
  })
})

const admin = () => keysOf(node)
const ADMIN = { channels: ['room:*'], scopes: ['keys:write'] }
const statusOf = async (key: string) =>
  (await publish(node.origin, { channel: 'room:open-1', event: 'e', data: 1 }, key)).status

/** Sends the headers and half of the body, and the rest when `between` is done. */
const sendSplit = (path: string, bearer: string, json: object, between: () => Promise<unknown>) =>
  new Promise<{ status: number; body: { code?: string } }>((resolve, reject) => {
    const body = JSON.stringify(json)
    // As it is: a URL would leave out a name that is a dot.
    const { hostname: host, port } = new URL(node.internalOrigin)
    const asked = open({
      ...{ host, port, path: `/v1/admin${path}` },
      method: 'POST',
      headers: { authorization: `Bearer ${bearer}`, 'content-length': body.length },
    })
    asked.on('error', reject)
    asked.on('response', (answer) => {
      let text = ''
      answer.on('data', (part) => {
        text += part
      })
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: JSON.parse(text) }))
    })
    asked.write(body.slice(0, 5), () => {
      between().then(() => asked.end(body.slice(5)), reject)
    })
  })
/** Resolves when the node has begun to serve what came before. */
const served = () => admin().list('?limit=1')

test('a key that is revoked while its body comes makes and rotates nothing', async () => {
  for (const [path, json] of [
    ['/keys', { name: 'successor', channels: ['room:*'] }],
    ['/keys/itself/rotate', { overlapSeconds: 0 }],
  ] as const) {
    const key = await admin().make({ name: 'itself', ...ADMIN })
    const { status, body } = await sendSplit(path, key, json, async () => {
      await served()
      expect((await admin().revoke('itself')).body).toMatchObject({ revoked: true })
    })
    expect([status, body]).toEqual([401, expect.objectContaining({ code: 'UNAUTHORIZED' })])
  }
  const names = (await admin().list('?limit=500')).body.keys.map(({ name }) => name)
  expect(names).not.toContain('successor')
})

test('the former secret of a rotation makes and rotates nothing', async () => {
  const former = await admin().make({ name: 'taken', ...ADMIN })
  const { key } = (await admin().rotate('taken')).body
  const detail = 'a rotation has replaced this secret: use the new one'
  const refused = { status: 403, body: { code: 'FORBIDDEN', detail } }
  expect(await keysOf(node, former).rotate('taken')).toMatchObject(refused)
  expect(await keysOf(node, former).create({ name: 'more', channels: [] })).toMatchObject(refused)
  expect(await keysOf(node, former).list()).toMatchObject({ status: 200 })
  expect(await keysOf(node, key).create({ name: 'more', channels: [] })).toMatchObject({ status: 201 })
  expect(await keysOf(node, key).rotate('taken')).toMatchObject({ status: 200 })
})

test('names that are none, parameters and bodies that nobody reads are refused', async () => {
  const at = clients.keys.apiKeys()
  const key = await admin().make({ name: 'named', channels: ['room:*'] })
  const before = await clients.data.hgetall(at)
  const mark = Object.keys(before).find((field) => field.startsWith('!')) ?? '!x'
  const bad = { status: 422, body: { code: 'INVALID', detail: 'name must be 1 to 32 of A-Z, a-z, 0-9 and -' } }
  for (const name of [mark, 'a%20b', '%2E%20'])
    for (const refused of [await admin().revoke(name), await admin().rotate(name)]) expect(refused).toMatchObject(bad)
  expect(await sendSplit('/keys/%2E/rotate', testAdminKey, {}, async () => {})).toMatchObject(bad)

  const to = (path: string, method: string, json?: unknown) =>
    request(`${node.internalOrigin}/v1/admin/keys${path}`, {
      bearer: testAdminKey,
      method,
      ...(json === undefined ? {} : { json }),
    })
  for (const [refused, name] of [
    [await to('/named/rotate?overlapSeconds=0', 'POST', {}), 'parameter "overlapSeconds"'],
    [await to('?name=x', 'POST', { name: 'x' }), 'parameter "name"'],
    [await to('/named?dry=1', 'DELETE'), 'parameter "dry"'],
    [await to('/named', 'DELETE', { dry: true }), 'member "dry"'],
  ] as const)
    expect(refused).toMatchObject({ status: 422, body: { code: 'INVALID', detail: `there is no ${name}` } })
  expect(await statusOf(key)).toBe(200)
  expect(await clients.data.hgetall(at)).toEqual(before)
})

test('a key that Redis has lost can be revoked, also while Redis is full, and its name is not given', async () => {
  const operator = await openOperator(redis.url)
  const lost = await admin().make({ name: 'lost', channels: ['room:*'] })
  const narrow = await admin().make({ name: 'narrow', channels: ['room:a'], scopes: ['keys:write'] })
  const inner = keysOf(node, narrow)
  await operator.flushall()
  expect(await inner.create({ name: 'lost', channels: ['room:a'] })).toMatchObject({
    status: 409,
    body: { code: 'NAME_TAKEN' },
  })
  expect(await statusOf(lost)).toBe(200)
  await operator.flushall()
  expect(await admin().rotate('narrow')).toMatchObject({ status: 200 })
  await operator.flushall()
  await operator.call('CONFIG', 'SET', 'maxmemory', '1')
  try {
    expect(await keysOf(node, narrow).revoke('lost')).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } })
    expect((await admin().revoke('lost')).body).toEqual({ name: 'lost', revoked: true })
    expect(await statusOf(lost)).toBe(401)
  } finally {
    await operator.call('CONFIG', 'SET', 'maxmemory', '0')
  }
  // The other key comes back, and this one does not.
  await until(
    async () => (await admin().list('?limit=500')).body.keys.map(({ name }) => name),
    (names) => names.includes('narrow') && !names.includes('lost'),
  )
  expect(await statusOf(lost)).toBe(401)
})

test('the audit has what was done although its answer was lost, once, and who listed the keys', async () => {
  const made = { name: 'quiet', channels: [], may: [], scopes: [], madeBy: 'admin' }
  expect(await createKeyStore(clients, [SECRET]).create(made)).toMatchObject({ ok: true })
  for (let i = 0; i < 2; i++)
    expect(await admin().create({ name: 'quiet', channels: [] })).toMatchObject({ status: 409 })
  const key = await admin().make({ name: 'silent', channels: ['room:*'] })
  const store = createKeyStore(clients, ['a secret of nobody'])
  expect(await store.remove('silent')).toMatchObject({ ok: true })
  await until(
    () => statusOf(key),
    (status) => status === 401,
  )
  for (let i = 0; i < 3; i++) expect((await admin().revoke('silent')).body).toEqual({ name: 'silent', revoked: false })
  await admin().list()
  await admin().list()
  const entries = (query: string) =>
    request<{ entries: { kind: string; key?: string; reason?: string }[] }>(
      `${node.internalOrigin}/v1/admin/audit?${query}`,
      {
        bearer: testAdminKey,
      },
    )
  const noted = await until(
    async () => (await entries('kind=key.revoked,key.made,admin.acted')).body.entries,
    (all) => all.some(({ key: name, kind }) => name === 'silent' && kind === 'key.revoked'),
  )
  expect(noted.filter(({ key: name, kind }) => name === 'silent' && kind === 'key.revoked')).toHaveLength(1)
  expect(noted.filter(({ key: name, kind }) => name === 'quiet' && kind === 'key.made')).toHaveLength(1)
  expect(noted.filter(({ key: name, kind }) => name === 'silent' && kind === 'key.made')).toHaveLength(1)
  expect(noted.filter(({ reason }) => reason === 'keys.list')).toHaveLength(1)
})
