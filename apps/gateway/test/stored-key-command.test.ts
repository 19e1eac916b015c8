import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createRedis } from '@saoma/redis'
import {
  connectLive,
  type Gateway,
  onCleanup,
  plainEnv,
  publish,
  type RedisServer,
  request,
  startGateway,
  startProcess,
  startRedis,
  testAdminKey,
  until,
} from '@saoma/testing'
import { createKeyStore } from '../src/access/key-store.ts'
import type { ListedKey } from '../src/access/listed-key.ts'
import { fileOf, key, keyIn, keyInto, lineOf, newFolder } from './run-key.ts'

/* The command `saoma key` with keys in Redis. */

const SECRET = 'a secret of the cluster that only this test has'
let redis: RedisServer
let node: Gateway
let env: Record<string, string>

beforeAll(async () => {
  redis = await startRedis()
  env = { REDIS_URL: redis.url, SAOMA_SECRET: SECRET, SAOMA_ORIGIN: 'http://127.0.0.1', SAOMA_DEMO: 'true' }
  node = await startGateway({
    redisUrl: redis.url,
    nodeId: 'a',
    origin: 'http://127.0.0.1',
    env: { SAOMA_SECRET: SECRET },
  })
})

const statusOf = async (secret: string) =>
  (await publish(node.origin, { channel: 'room:x', event: 'e', data: 1 }, secret)).status
const untilStatus = (secret: string, wanted: number) =>
  until(
    () => statusOf(secret),
    (status) => status === wanted,
  )
const listed = async (...args: string[]): Promise<ListedKey[]> =>
  JSON.parse((await key(['list', '--json', ...args], { env })).said.join('\n')).keys

test('a key in Redis is made, listed, rotated and revoked, and a running node follows', async () => {
  const made = await key(
    [
      'create',
      'shop',
      'room:*,user:1',
      '--redis',
      '--scope',
      'audit:read',
      '--may',
      'publish,follow',
      '--expires',
      '90d',
    ],
    { env },
  )
  expect([made.code, made.said]).toEqual([
    0,
    [
      'For the backend, shown once:',
      expect.stringMatching(/^ {2}saoma_shop_/),
      'Stored in Redis. Every node knows it by now.',
    ],
  ])
  const first = keyIn(made.said)
  await untilStatus(first, 200)
  const [shown] = await listed()
  expect(shown).toMatchObject({
    name: 'shop',
    source: 'redis',
    channels: ['room:*', 'user:1'],
    may: ['publish', 'follow'],
    scopes: ['audit:read'],
  })
  const days = (Date.parse(shown?.expiresAt ?? '') - Date.now()) / 86_400_000
  expect(days).toBeGreaterThan(89.9)
  expect(days).toBeLessThan(90.1)

  const turned = await key(['rotate', 'shop', '--overlap', '12h'], { env })
  expect([turned.code, turned.said[2]]).toEqual([0, expect.stringMatching(/^The former one stays good until 20/)])
  const second = keyIn(turned.said)
  await untilStatus(second, 200)
  expect(await statusOf(first)).toBe(200)
  const again = JSON.parse((await key(['rotate', 'shop', '--overlap', '0', '--json'], { env })).said.join('\n'))
  expect(again).toMatchObject({ name: 'shop', key: expect.stringMatching(/^saoma_shop_/) })
  await untilStatus(second, 401)
  expect(await statusOf(first)).toBe(401)

  const backend = connectLive(node.origin, { token: again.key })
  await backend.next('connect')
  expect(await key(['revoke', 'shop'], { env })).toEqual({
    code: 0,
    said: ['Removed from Redis. Every node has been told, and ends the connections of the key.'],
  })
  expect(await backend.next('ended')).toMatchObject({ code: 'REVOKED' })
  expect(await statusOf(again.key)).toBe(401)
  expect(await listed()).toEqual([])

  const { body } = await request<{ entries: { kind: string; key?: string; by?: string; node?: string }[] }>(
    `${node.internalOrigin}/v1/admin/audit?kind=key.made,key.rotated,key.revoked`,
    { bearer: testAdminKey },
  )
  expect(body.entries.map(({ kind, key, by, node }) => [kind, key, by, node])).toEqual([
    ['key.revoked', 'shop', 'operator', 'command'],
    ['key.rotated', 'shop', 'operator', 'command'],
    ['key.rotated', 'shop', 'operator', 'command'],
    ['key.made', 'shop', 'operator', 'command'],
  ])
})

test('the list shows the keys of a file and those of Redis', async () => {
  const file = await fileOf(`${lineOf('a-file')} audit:read\n`)
  await key(['create', 'auditor', '--redis', '--scope', 'audit:read'], { env })
  const both = { env: { ...env, SAOMA_API_KEYS: file } }
  const { code, said } = await key(['list'], both)
  expect([code, said.map((line) => line.split(/ {2,}/))]).toEqual([
    0,
    [
      ['NAME', 'KEPT', 'EXPIRES', 'FIRST USED', 'LAST USED', 'MAY', 'SCOPES', 'CHANNELS'],
      ['a-file', 'file', '-', '-', '-', 'all', 'audit:read', 'room:*'],
      ['auditor', 'redis', '-', '-', '-', 'all', 'audit:read', '-'],
    ],
  ])
  expect((await key(['list', '--redis'], both)).said).toHaveLength(2)
  expect((await key(['list', '--file', file], both)).said).toEqual(['NAME    SHA-256   CHANNELS', expect.anything()])
  await key(['revoke', 'auditor'], { env })
})

test('a name is used once, whichever the source', async () => {
  const file = await fileOf(`${lineOf('shop')}\n`)
  const both = { env: { ...env, SAOMA_API_KEYS: file } }
  expect(await key(['create', 'shop', 'room:*', '--redis'], both)).toEqual({
    code: 1,
    said: [`${file} has a key shop already. Take another name, or revoke that one first.`],
  })
  expect((await key(['create', 'twice', 'room:*', '--redis'], { env })).code).toBe(0)
  expect(await key(['create', 'twice', 'room:*', '--redis'], { env })).toEqual({
    code: 1,
    said: ['Redis has a key twice already. Take another name, or revoke that one first.'],
  })
  // A line that was added later. One command takes both away.
  await writeFile(file, `${lineOf('shop')}\n${lineOf('twice')}\n`)
  const { code, said } = await key(['revoke', 'twice'], both)
  expect([code, said]).toEqual([
    0,
    [expect.stringMatching(/^Removed from Redis\./), expect.stringMatching(/^Removed from .*api-keys\./)],
  ])
  expect(await key(['revoke', 'twice'], both)).toEqual({
    code: 1,
    said: [expect.stringMatching(`^Neither ${file} nor Redis has a key twice\\. If Redis has just lost data,`)],
  })
})

test('a line of a file gets the scopes that are asked for', async () => {
  const file = await fileOf('')
  const { code } = await key(['create', 'reader', 'room:*', '--file', file, '--scope', 'audit:read,nodes:read'])
  expect(code).toBe(0)
  const { said } = await key(['list', '--json'], { env: { ...env, SAOMA_API_KEYS: file } })
  expect(JSON.parse(said.join('\n')).keys).toMatchObject([{ name: 'reader', scopes: ['audit:read', 'nodes:read'] }])
})

test.each([
  [
    ['rotate', 'nobody'],
    'Redis has no key nobody. Only keys in Redis can be rotated: in a file make a line with another name.',
  ],
  [
    ['revoke', 'nobody', '--redis'],
    'Redis has no key nobody. If Redis has just lost data, nodes put their keys back within ten seconds: then try again. If it is full, ask a node: DELETE /v1/admin/keys/{name}.',
  ],
])('%j fails with a sentence', async (args, sentence) => {
  expect(await key(args, { env })).toEqual({ code: 1, said: [sentence] })
})

test('without Redis the line of a file can be taken out, and the rest says what is wrong', async () => {
  const file = await fileOf(`${lineOf('shop')}\n`)
  const gone = await startRedis()
  await gone.stop()
  const away = { env: { ...env, REDIS_URL: gone.url, SAOMA_API_KEYS: file } }
  const { code, said } = await key(['revoke', 'shop'], away)
  expect([code, said]).toEqual([
    1,
    expect.arrayContaining([
      expect.stringMatching(/^Whether Redis has a key shop too is not known: Redis .*: REDIS_URL names/),
      expect.stringMatching(/^Removed from/),
    ]),
  ])
  await writeFile(file, `${lineOf('shop')}\n`)
  const list = await key(['list'], away)
  expect([list.code, list.said]).toEqual([
    1,
    expect.arrayContaining([
      expect.stringMatching(/^The keys in Redis are missing here: Redis .*: REDIS_URL names/),
      'shop  00000000  room:*',
    ]),
  ])
  expect((await key(['create', 'other', 'room:*', '--redis'], away)).said[0]).toMatch(/^Redis .*: REDIS_URL names/)
}, 60_000)

test.each([
  [['create', 'a', 'room:*', '--may', 'follow'], '--may is for keys in Redis: give --redis as well.'],
  [['create', 'a', 'room:*', '--expires', '1d'], '--expires is for keys in Redis: give --redis as well.'],
  [['create', 'a', '--redis'], 'create needs a name and patterns.'],
  [
    ['create', 'a', 'room:*', '--redis', '--expires', '90'],
    '--expires is a time such as 90d, 12h or 30m, up to 3650d.',
  ],
  [['create', 'a', 'room:*', '--redis', '--expires', '0'], '--expires is a time such as 90d, 12h or 30m, up to 3650d.'],
  [['create', 'a', 'room:*', '--redis', '--may', 'read'], '--may must list acts; there are publish, follow, presence.'],
  [['create', 'a', 'room:*', '--scope', 'all'], expect.stringMatching(/^--scope must list scopes such as/)],
  [['create', 'a', 'room:*', '--redis', '--file', 'x'], 'Give --redis or --file, not both.'],
  [['list', '--scope', 'audit:read'], 'list has no option --scope.'],
  [['revoke', 'a', '--overlap', '1h'], 'revoke has no option --overlap.'],
  [
    ['rotate', 'a', '--overlap', '31d'],
    '--overlap is a time such as 24h, up to 30d. With 0 the former secret ends at once.',
  ],
  [['rotate'], 'rotate needs one name. saoma key list shows the names.'],
  [['rotate', '.'], 'The name must be 1 to 32 of A-Z, a-z, 0-9 and -.'],
  [['revoke', '!x'], 'The name must be 1 to 32 of A-Z, a-z, 0-9 and -.'],
])('%j is wrong usage', async (args, sentence) => {
  const { code, said } = await key(args, { cwd: await newFolder() })
  expect([code, said[0]]).toEqual([2, sentence])
})

/** The settings in a file, for a command whose output is given to it. */
const settingsFile = async (): Promise<string> => {
  const file = join(await newFolder(), 'node.env')
  await writeFile(
    file,
    Object.entries(env)
      .map(([name, value]) => `${name}='${value}'`)
      .join('\n'),
  )
  return file
}

test('a key that cannot be printed is not made', async () => {
  const args = ['create', 'silent', 'room:*', '--redis', '--env-file', await settingsFile()]
  for (const output of ['>/dev/full', '>&-']) expect((await keyInto(output, args)).code).toBe(1)
  expect((await listed()).map(({ name }) => name)).not.toContain('silent')
})

test('a rotation whose secret cannot be printed leaves the former one', async () => {
  const secret = keyIn((await key(['create', 'loud', 'room:*', '--redis'], { env })).said)
  await untilStatus(secret, 200)
  for (const overlap of ['0', '1m']) {
    const args = ['rotate', 'loud', '--overlap', overlap, '--env-file', await settingsFile()]
    expect(await keyInto('>/dev/full', args)).toEqual({
      code: 1,
      said: ['The new key cannot be printed (ENOSPC). So the former one stays.'],
    })
    await untilStatus(secret, 200)
  }
  const [shown] = await listed()
  expect(shown).toMatchObject({ name: 'loud' })
  expect(shown).not.toHaveProperty('formerUntil')
  await key(['revoke', 'loud'], { env })
})

test('with SAOMA_REDIS_REPLICAS nothing counts as done that a failover may lose', async () => {
  const secret = keyIn((await key(['create', 'kept', 'room:*', '--redis'], { env })).said)
  const alone = { env: { ...env, SAOMA_REDIS_REPLICAS: '1', SAOMA_REDIS_REPLICAS_MS: '20' } }
  for (const args of [
    ['create', 'lone', 'room:*', '--redis'],
    ['rotate', 'kept', '--overlap', '0'],
    ['revoke', 'kept'],
  ]) {
    const { code, said } = await key(args, alone)
    expect([code, said]).toEqual([1, [expect.stringContaining('0 of 1 replicas have the write')]])
    if (args[0] === 'rotate') await untilStatus(secret, 200)
  }
  // It was revoked, and only that is not certain to last.
  expect(await listed()).toEqual([])
  const { body } = await request<{ entries: { kind: string; key?: string }[] }>(
    `${node.internalOrigin}/v1/admin/audit?kind=key.made,key.rotated,key.revoked&limit=2`,
    { bearer: testAdminKey },
  )
  expect(body.entries.map(({ kind, key }) => [kind, key])).toEqual([
    ['key.revoked', 'kept'],
    ['key.made', 'kept'],
  ])
})

test('store.ts check names the API keys that SAOMA_SECRET does not open', async () => {
  const script = fileURLToPath(new URL('../src/bin/store.ts', import.meta.url))
  const check = async () => {
    const { exited, lines } = await startProcess({
      name: 'store check',
      command: process.execPath,
      args: [script, 'check'],
      env: { ...plainEnv(), ...env },
    })
    const { code } = await exited
    return { code, said: lines.map(({ text }) => text).join('\n') }
  }
  await key(['create', 'good', 'room:*', '--redis'], { env })
  expect((await check()).said).toMatch(/^API keys +1, opened with SAOMA_SECRET$/m)
  const clients = await createRedis({ url: redis.url, probeMs: 0 })
  onCleanup(() => clients.close())
  const order = { name: 'old', channels: [], may: [], scopes: [], madeBy: '' }
  await createKeyStore(clients, ['the secret before the last one']).create(order)
  expect(await check()).toMatchObject({
    code: 1,
    said: expect.stringContaining('SAOMA_SECRET does not open these API keys in Redis: old.'),
  })
  // As the sentence says.
  expect((await key(['revoke', 'old'], { env })).code).toBe(0)
  expect((await check()).said).not.toContain('does not open')
  await key(['revoke', 'good'], { env })
})
