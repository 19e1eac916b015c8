import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type AuditPage, createAudit } from '@saoma/audit'
import { createRedis } from '@saoma/redis'
import {
  freePort,
  type Gateway,
  onCleanup,
  plainEnv,
  request,
  startGateway,
  startProcess,
  startRedis,
  testAdminKey,
  until,
  webToken,
} from '@saoma/testing'
import { linesOf } from '../src/admin/audit.ts'
import { readAuditCommand } from '../src/bin/read-audit-command.ts'

const script = fileURLToPath(new URL('../src/bin/audit.ts', import.meta.url))
const settings = {
  SAOMA_ORIGIN: 'http://audit.test',
  SAOMA_SECRET: 'a secret of tests, which nobody keeps',
  SAOMA_DEMO: 'true',
}

let node: Gateway
let redisUrl: string

beforeAll(async () => {
  redisUrl = (await startRedis()).url
  node = await startGateway({ redisUrl, nodeId: 'a', origin: settings.SAOMA_ORIGIN })
})

const start = (args: readonly string[], env: Record<string, string> = {}) =>
  startProcess({
    name: `audit ${args.join(' ')}`,
    command: process.execPath,
    args: [script, ...args],
    env: { ...plainEnv(), ...settings, REDIS_URL: redisUrl, ...env },
  })
/** Logs in, and waits until that is written. */
const logIn = async (name: string): Promise<void> => {
  const count = async () =>
    (
      await request<{ entries: [] }>(`${node.internalOrigin}/v1/admin/audit?kind=login.redeemed&limit=500`, {
        bearer: testAdminKey,
      })
    ).body.entries.length
  const before = await count()
  await webToken(node.origin, name)
  await until(count, (now) => now > before)
}

test('tail shows the newest entries, and then each one that comes', async () => {
  for (const name of ['ada', 'ben', 'cleo']) await logIn(name)
  const tail = await start(['tail', '--kind', 'login.redeemed', '--lines', '2', '--json'])
  await tail.nextLine(({ json }) => json?.kind === 'login.redeemed')
  await tail.nextLine(({ json }) => json?.kind === 'login.redeemed')
  await logIn('dan')
  await tail.nextLine(({ json }) => json?.kind === 'login.redeemed')
  expect(tail.lines).toHaveLength(3)
  expect(new Set(tail.lines.map(({ json }) => json?.id)).size).toBe(3)
  await tail.kill('SIGINT')
  expect(await tail.exited).toMatchObject({ code: 0 })
})

test('a row is for people: time, kind and what else is known', async () => {
  const tail = await start(['tail', '--kind', 'login.confirmed', '--lines', '1'])
  const { text } = await tail.nextLine(() => true)
  expect(text).toMatch(
    /^\d{4}-\d\d-\d\dT[\d:.]+Z {2}login\.confirmed {4}node=a {2}person=\S+ {2}ticket=\S+ {2}ip=127\.0\.0\.1/,
  )
  await tail.kill('SIGTERM')
  expect(await tail.exited).toMatchObject({ code: 0 })
})

test('export prints all entries as lines of JSON, the oldest first', async () => {
  await logIn('eli')
  const run = await start(['export', '--kind', 'login', '--from', '2020-01-01T00:00:00Z'])
  expect(await run.exited).toMatchObject({ code: 0 })
  const kinds = run.lines.map(({ json }) => json?.kind)
  expect(kinds.slice(0, 4)).toEqual(['login.asked', 'login.scanned', 'login.confirmed', 'login.redeemed'])
  expect(kinds.length % 4).toBe(0)
  expect(run.lines.every(({ json }) => json?.sealed === undefined)).toBe(true)
  const other = await start(['export', '--kind', 'login.confirmed'], {
    SAOMA_SECRET: 'another secret, which is as long as it',
  })
  expect(await other.exited).toMatchObject({ code: 0 })
  expect(other.lines.every(({ json }) => json?.sealed === true && json.ip === undefined)).toBe(true)
})

test('what an operator reads is noted, also when the reader closes the pipe at once', async () => {
  await promisify(execFile)('sh', ['-c', `"${process.execPath}" "${script}" export | head -n 1`], {
    env: { ...plainEnv(), ...settings, REDIS_URL: redisUrl },
  })
  const tail = await start(['tail', '--kind', 'admin'])
  await tail.nextLine(({ text }) => text.includes('reason=audit.read'))
  await tail.kill('SIGKILL')
  const { body } = await request<AuditPage>(`${node.internalOrigin}/v1/admin/audit?kind=admin&order=oldest`, {
    bearer: testAdminKey,
  })
  const acted = body.entries.filter(({ by }) => by === 'operator').map(({ reason }) => reason)
  expect(acted.slice(-2)).toEqual(['audit.export', 'audit.read'])
})

test('tail bears an outage of Redis, says so, and goes on', async () => {
  const server = await startRedis({ appendonly: true })
  const redis = await createRedis({ url: server.url, probeMs: 0 })
  const audit = createAudit(redis, { node: 'x', secrets: ['no secret at all'], entries: 1_000, keepMs: 3_600_000 })
  onCleanup(async () => {
    await audit.close()
    await redis.close()
  })
  const noted = async (person: string) => {
    audit.note({ kind: 'login.confirmed', person })
    await audit.flush()
  }
  await noted('ada')
  const tail = await start(['tail', '--kind', 'login', '--json'], { REDIS_URL: server.url })
  await tail.nextLine(({ json }) => json?.person === 'ada')
  await server.kill('SIGKILL')
  await tail.nextLine(({ text }) => text.startsWith('Redis cannot be reached.'))
  await server.restart()
  await noted('ben')
  await tail.nextLine(({ json }) => json?.person === 'ben')
  await tail.kill('SIGINT')
  expect(await tail.exited).toMatchObject({ code: 0 })
  expect(tail.lines.filter(({ json }) => json !== undefined)).toHaveLength(2)
})

test('an export ends with its reader, whatever is left', async () => {
  const redis = await createRedis({ url: (await startRedis()).url, probeMs: 0 })
  const audit = createAudit(redis, { node: 'x', secrets: ['no secret at all'], entries: 9_000, keepMs: 3_600_000 })
  for (let i = 0; i < 1_500; i++) audit.note({ kind: 'login.confirmed', person: `p-${i}` })
  await audit.flush()
  const leaving = new AbortController()
  let count = 0
  for await (const lines of linesOf(audit, {}, leaving.signal)) {
    count += lines.trim().split('\n').length
    leaving.abort()
  }
  expect(count).toBe(500)
  await audit.close()
  await redis.close()
})

test('a Redis that is away is named', async () => {
  const run = await start(['export'], { REDIS_URL: `redis://127.0.0.1:${await freePort()}` })
  expect(await run.exited).toMatchObject({ code: 1 })
  expect(run.lines.map(({ text }) => text).join()).toContain('REDIS_URL names 127.0.0.1')
})

test.each([
  [[], 'Say what is to be done.'],
  [['erase'], 'There is no command "erase".'],
  [['tail', 'more'], 'tail needs no more words, but there is "more".'],
  [['export', '--json'], 'export has neither --json nor --lines.'],
  [['tail', '--lines', '501'], '--lines is a number from 0 to 500.'],
  [['tail', '--kind', 'dance'], '--kind has a kind that does not exist.'],
  [['tail', '--network', 'here'], '--network is an address or a network such as 203.0.113.0/24.'],
  [['export', '--to', 'now'], '--to is a time such as 2026-11-30T09:00:00Z.'],
])('%j is wrong usage', (args, reason) => {
  expect(readAuditCommand(args)).toEqual({ kind: 'wrong', reason })
})

test('an unknown option is wrong usage, and ends with 2', async () => {
  const run = await start(['tail', '--fast'])
  expect(await run.exited).toMatchObject({ code: 2 })
})
