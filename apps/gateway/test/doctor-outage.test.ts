import { once } from 'node:events'
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net'
import { onCleanup, type RedisServer, startRedis } from '@saoma/testing'
import { readConfig } from '../src/config/config.ts'
import type { Finding } from '../src/doctor/finding.ts'
import { createRedisCheck } from '../src/doctor/redis.ts'
import { judgeServer } from '../src/doctor/redis-server.ts'
import { runChecks } from '../src/doctor/run-checks.ts'
import { diagnose, SETTINGS } from './diagnosis.ts'
import { openOperator } from './fixtures.ts'

const look = (redisUrl: string, ...args: string[]) =>
  diagnose(['--json', '--only', 'redis', ...args], { ...SETTINGS, REDIS_URL: redisUrl })

/** A way to a Redis that breaks, or gets stuck, at the first PING. */
const startFragile = async (redis: RedisServer, how: 'breaks' | 'sticks'): Promise<string> => {
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const inner = dial(redis.port, '127.0.0.1')
    for (const socket of [client, inner]) sockets.add(socket.on('error', () => {}))
    client.on('close', () => inner.destroy())
    inner.on('close', () => client.destroy())
    inner.pipe(client)
    client.on('data', (bytes) => {
      if (!/\r\nping\r\n/i.test(bytes.toString('latin1'))) return inner.write(bytes)
      if (how === 'sticks') return
      server.close()
      for (const socket of sockets) socket.destroy()
    })
  }).listen(0, '127.0.0.1')
  onCleanup(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  await once(server, 'listening')
  return `redis://127.0.0.1:${(server.address() as AddressInfo).port}`
}

let redis: RedisServer
beforeAll(async () => {
  redis = await startRedis()
})

describe('findings before the end of a check are kept', () => {
  const FOUND = ['redis-reachable', 'redis-version', 'redis-eviction', 'redis-rights']

  test('when Redis goes away meanwhile', async () => {
    const { code, findings, of } = await look(await startFragile(redis, 'breaks'))
    expect(findings.map((one) => one.code)).toEqual(expect.arrayContaining(FOUND))
    expect(of('check-failed')).toEqual([])
    expect(of('redis-reachable')).toEqual([
      expect.stringMatching(/^ok: /),
      expect.stringMatching(/^error: Redis cannot/),
    ])
    expect(code).toBe(1)
  })

  test('when the time is up', async () => {
    const { code, findings } = await look(await startFragile(redis, 'sticks'), '--timeout', '2s')
    expect(findings.map((one) => one.code)).toEqual(expect.arrayContaining(FOUND))
    expect(findings.at(-1)).toMatchObject({ code: 'check-late', level: 'error' })
    expect(code).toBe(1)
  })

  test('when the check fails', async () => {
    const first: Finding = { code: 'first', level: 'ok', says: 'It is fine.' }
    const check = {
      name: 'failing',
      run: async (_: unknown, find?: (finding: Finding) => void) => {
        find?.(first)
        throw new Error('a fault of ours')
      },
    }
    expect(await runChecks([check], { signal: new AbortController().signal })).toMatchObject([
      { check: 'failing', code: 'first', level: 'ok' },
      { check: 'failing', code: 'check-failed', level: 'error' },
    ])
  })
})

test('a user that may not PING is told so, and all else is looked at', async () => {
  const server = await startRedis({ password: 'pw', user: { name: 'saoma', rights: '~* &* +@all -ping' } })
  const { findings, of } = await look(server.url)
  expect(of('check-failed')).toEqual([])
  expect(of('redis-latency')).toEqual([expect.stringMatching(/^skipped: .+ measure a round trip \(NOPERM/)])
  expect(findings.find(({ code }) => code === 'redis-latency')?.todo).toContain('ACL SETUSER saoma +ping')
})

test('nothing is written to a Redis that nobody named', async () => {
  const config = readConfig({ ...SETTINGS, REDIS_URL: redis.url, SAOMA_REDIS_PREFIX: 'unnamed' })
  const source = { given: {}, hasSettings: true, files: [], inFile: () => ({}), textOf: () => '', problems: [] }
  const look = (given: Record<string, string>) =>
    createRedisCheck({ ...source, given }).run({ config, signal: new AbortController().signal })
  const operator = await openOperator(redis.url)
  await operator.call('CONFIG', 'RESETSTAT')
  const commands = async () => String(await operator.info('commandstats'))
  const unnamed = await look({})
  expect(unnamed.filter(({ code }) => code === 'redis-default')).toEqual([
    {
      code: 'redis-default',
      level: 'warning',
      says: `REDIS_URL is not in these settings: this looks at ${redis.url}.`,
      todo: expect.stringContaining('in the container of a node'),
    },
  ])
  expect(unnamed.filter(({ code }) => code === 'redis-rights')).toMatchObject([{ level: 'skipped' }])
  expect(await commands()).not.toContain('cmdstat_xadd')
  // The same look at a Redis that is named does write.
  const named = await look({ REDIS_URL: redis.url })
  expect(named.filter(({ code }) => code === 'redis-default')).toEqual([])
  expect(await commands()).toContain('cmdstat_xadd')
})

describe('what a restart loses', () => {
  const wanted = { replicas: 0, share: 0.8, isDemo: false, holds: 'all' as const }
  const persistence = (config: Record<string, string>, replication = 'role:master\r\nconnected_slaves:0\r\n') => {
    const info = {
      server: 'redis_version:7.4.0\r\n',
      memory: 'used_memory:1\r\nmaxmemory:1000\r\nmaxmemory_policy:noeviction\r\n',
      persistence: 'aof_enabled:0\r\n',
      replication,
    }
    return judgeServer({ where: 'a:1', info, config }, wanted).find(({ code }) => code === 'redis-persistence')?.level
  }

  test('is not known if a provider hides the setting', () => {
    expect(persistence({})).toBe('skipped')
    expect(persistence({ save: '' })).toBe('error')
  })

  test('is less if there are replicas', () => {
    const replica = 'slave0:ip=10.0.0.6,port=6379,state=online,offset=5,lag=0'
    expect(
      persistence({ save: '' }, `role:master\r\nconnected_slaves:1\r\n${replica}\r\nmaster_repl_offset:5\r\n`),
    ).toBe('warning')
  })
})
