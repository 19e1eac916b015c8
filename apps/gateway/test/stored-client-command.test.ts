import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createRedis, type RedisClients } from '@saoma/redis'
import { onCleanup, plainEnv, startProcess, startRedis } from '@saoma/testing'
import { createClientStore } from '../src/access/client-store.ts'
import { clientOfStored, type StoredClient } from '../src/access/stored-client.ts'

/* The command `saoma client` with applications in Redis. It needs no node. */

const SECRET = 'a secret of the cluster that only this test has'
const script = fileURLToPath(new URL('../src/bin/client.ts', import.meta.url))
let env: Record<string, string>
let redis: RedisClients

beforeAll(async () => {
  const { url } = await startRedis()
  env = { REDIS_URL: url, SAOMA_SECRET: SECRET, SAOMA_ORIGIN: 'http://127.0.0.1', SAOMA_DEMO: 'true' }
  redis = await createRedis({ url, probeMs: 0 })
  onCleanup(() => redis.close())
})

const run = async (...args: readonly string[]) => {
  const { exited, lines } = await startProcess({
    name: `client ${args.join(' ')}`,
    command: process.execPath,
    args: ['--', script, ...args],
    env: { ...plainEnv(), ...env },
    cwd: tmpdir(),
  })
  const { code } = await exited
  return { code, said: lines.map(({ text }) => text).join('\n') }
}
const stored = async (id: string): Promise<StoredClient | undefined> =>
  (await createClientStore(redis, [SECRET]).read()).entries.get(id)?.entry
const wiki = ['wiki', '--name', 'Our wiki', '--redirect', 'https://wiki.example.com/callback', '--first-party']

test('an application in Redis is added, listed, rotated and removed', async () => {
  const added = await run('add', ...wiki, '--redis')
  expect(added).toMatchObject({ code: 0, said: expect.stringContaining('Added to Redis.') })
  const secret = /shown once: ([\w-]{43})$/m.exec(added.said)?.[1] ?? ''
  const entry = await stored('wiki')
  expect(entry && clientOfStored(entry)).toMatchObject({
    client: { id: 'wiki', party: 'first', registration: entry?.id },
  })
  expect(JSON.stringify(await redis.data.hgetall(redis.keys.clients()))).not.toContain(secret)
  expect((await run('add', ...wiki, '--redis')).said).toContain('Redis has wiki already')

  const folder = await mkdtemp(join(tmpdir(), 'saoma-client-'))
  onCleanup(() => rm(folder, { recursive: true }))
  const file = join(folder, 'clients.json')
  await writeFile(file, JSON.stringify([{ ...entry?.client, type: 'public', redirect_uris: ['https://a.example/'] }]))
  expect((await run('list', '--redis', '--file', file)).said.split('\n')).toEqual([
    expect.stringMatching(/^CLIENT_ID +SOURCE/),
    'wiki       file    public        first  Our wiki',
    'wiki       redis   confidential  first  Our wiki (hidden by the file)',
  ])

  const turned = JSON.parse((await run('rotate', 'wiki', '--redis', '--overlap', '1h', '--json')).said)
  expect(turned).toMatchObject({
    client_id: 'wiki',
    client_secret: expect.any(String),
    formerUntil: expect.any(String),
  })
  expect((await stored('wiki'))?.secrets).toHaveLength(2)
  expect((await run('remove', 'wiki', '--redis')).said).toContain('Removed from Redis.')
  expect(await stored('wiki')).toBeUndefined()
  expect(await run('remove', 'wiki', '--redis')).toMatchObject({ code: 1 })
  expect(await run('rotate', 'wiki', '--redis')).toMatchObject({ code: 1 })
})

test.each([
  [2, ['add', ...wiki, '--redis', '--file', 'x'], 'Give --redis or --file'],
  [2, ['rotate', 'wiki', '--file', 'x'], 'rotate has no option --file'],
  [2, ['rotate', 'wiki', '--overlap', 'long'], '--overlap is a time'],
  [2, ['rotate', 'wiki', '--public'], '--public is an option of add'],
  [2, ['list', '--overlap', '1h'], '--overlap is an option of rotate'],
  [
    1,
    ['add', 'app', '--name', 'x', '--redirect', 'https://a.example/#f', '--redis'],
    'redirect_uris must list addresses',
  ],
])('exit code %i for %j', async (code, args, words) => {
  const ended = await run(...args)
  expect([ended.code, ended.said]).toEqual([code, expect.stringContaining(words)])
})
