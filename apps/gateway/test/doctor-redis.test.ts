import { rm } from 'node:fs/promises'
import { freePort, type RedisServer, startRedis, startRedisCluster, startRedisSentinel, until } from '@saoma/testing'
import { judgeServer } from '../src/doctor/redis-server.ts'
import { diagnose, newFolder, SETTINGS } from './diagnosis.ts'
import { openOperator } from './fixtures.ts'

const look = (redisUrl: string, env: Record<string, string> = {}) =>
  diagnose(['--json', '--only', 'redis'], { ...SETTINGS, REDIS_URL: redisUrl, ...env })
const at = (port: number) => `127.0.0.1:${port}`

/** A server as operators should have it. */
const startGood = (): Promise<RedisServer> =>
  startRedis({ appendonly: true, args: ['--maxmemory', '64mb', '--appendfsync', 'everysec'] })

let good: RedisServer
/** Sets settings of the good server for the time of one look, and puts them back. */
const lookWith = async (settings: Record<string, string>, env: Record<string, string> = {}) => {
  const operator = await openOperator(good.url)
  if ('nodes' in operator) throw new Error('this is a cluster')
  const before = await Promise.all(
    Object.keys(settings).map(async (name) => [name, ((await operator.config('GET', name)) as string[])[1]] as const),
  )
  for (const [name, value] of Object.entries(settings)) await operator.config('SET', name, value)
  try {
    return await look(good.url, env)
  } finally {
    for (const [name, value = ''] of before) await operator.config('SET', name, value)
    operator.disconnect()
  }
}
beforeAll(async () => {
  good = await startGood()
})

test('a Redis as it should be is fine, and keeps nothing of the look', async () => {
  const { code, findings, of } = await look(good.url)
  // A busy machine may be slow.
  expect(findings.filter(({ code, level }) => level !== 'ok' && code !== 'redis-latency')).toEqual([])
  expect(code).toBe(0)
  const where = `Redis at ${at(good.port)}`
  expect(of('redis-reachable')).toEqual([`ok: Redis answers at ${at(good.port)}.`])
  expect(of('redis-version')).toEqual([
    expect.stringMatching(`^ok: ${where} is (version|Valkey) \\d+\\.\\d+\\.\\d+\\.$`),
  ])
  expect(of('redis-eviction')).toEqual([`ok: ${where} throws nothing away (noeviction).`])
  expect(of('redis-memory')).toEqual([expect.stringMatching(`^ok: ${where} uses \\d+ MB of 64 MB \\(\\d+ %\\)\\.$`)])
  expect(of('redis-persistence')).toEqual([`ok: ${where} keeps an append-only file (appendfsync everysec).`])
  expect(of('redis-disk')).toEqual([expect.stringMatching(/^ok: /)])
  expect(of('redis-replicas')).toEqual([`ok: ${where} has 0 replicas, and SAOMA_REDIS_REPLICAS asks for none.`])
  expect(of('redis-rights')).toEqual([`ok: ${where} lets a node do all that it does.`])
  expect(of('redis-latency')).toEqual([
    expect.stringMatching(
      `^(ok|warning): A round trip to ${where} takes .+ ms \\(median of 20; the worst took .+ ms\\)`,
    ),
  ])
  const operator = await openOperator(good.url)
  const keys = (await operator.keys('*')) as string[]
  expect(keys.filter((key) => !key.startsWith('saoma:trial:'))).toEqual([])
  for (const key of keys) expect(await operator.pttl(key)).toBeLessThanOrEqual(10_000)
})

test('a Redis that evicts is an error, and a warning as long as maxmemory is not set', async () => {
  const evicting = await lookWith({ 'maxmemory-policy': 'allkeys-lru' })
  expect(evicting.code).toBe(1)
  expect(evicting.of('redis-eviction')).toEqual([
    expect.stringMatching(
      /^error: Redis at .+ throws data away .+ \(maxmemory-policy allkeys-lru\).+: set noeviction\.$/,
    ),
  ])
  const harmless = await lookWith({ 'maxmemory-policy': 'allkeys-lru', maxmemory: '0' })
  expect(harmless.code).toBe(0)
  expect(harmless.of('redis-eviction')).toEqual([
    expect.stringMatching(/^warning: .+ has maxmemory-policy allkeys-lru/),
  ])
  expect(harmless.of('redis-memory')).toEqual([expect.stringMatching(/^warning: Redis at .+ has no maxmemory: /)])
})

test('how full it is, and that it takes no writes', async () => {
  const operator = await openOperator(good.url)
  // In small parts: the buffer of a large command would be counted too.
  for (let i = 0; i < 512; i++) await operator.append('filler', 'x'.repeat(16_384))
  const used = Number(/used_memory:(\d+)/.exec((await operator.info('memory')) as string)?.[1])
  const filled = (share: number) => lookWith({ maxmemory: `${Math.round(used / share)}` })
  expect((await filled(0.87)).of('redis-memory')).toEqual([
    expect.stringMatching(/^warning: Redis at .+ uses \d+ MB of \d+ MB \(\d\d %\), so the channels take no messages/),
  ])
  const full = await filled(1.05)
  expect(full.of('redis-memory')).toEqual([expect.stringMatching(/^error: .+: it refuses writes soon\.$/)])
  expect(full.of('redis-writes')).toEqual([expect.stringMatching(/^error: Redis at .+ takes no writes \(OOM /)])
  await operator.del('filler')
})

test('what a restart loses', async () => {
  const persistence = async (settings: Record<string, string>, env = {}) =>
    (await lookWith(settings, env)).of('redis-persistence')
  expect(await persistence({ appendonly: 'no' })).toEqual([
    expect.stringMatching(/^error: Redis at .+ keeps nothing on disk: after a restart all people have to log in again/),
  ])
  expect(await persistence({ appendonly: 'no' }, { SAOMA_DEMO: 'true', SAOMA_ORIGIN: 'http://127.0.0.1' })).toEqual([
    expect.stringMatching(/^warning: .+ keeps nothing on disk/),
  ])
  expect(await persistence({ appendonly: 'no', save: '3600 1' })).toEqual([
    expect.stringMatching(/^warning: .+ only saves snapshots \(save 3600 1\)/),
  ])
  expect(await persistence({ appendfsync: 'no' })).toEqual([expect.stringMatching(/^warning: .+\(appendfsync no\)/)])
})

test('a disk that could not be written', async () => {
  const dir = newFolder()
  const server = await startRedis({ dir })
  const operator = await openOperator(server.url)
  await rm(dir, { recursive: true })
  await operator.call('BGSAVE')
  await until(
    async () => (await operator.info('persistence')) as string,
    (info) => info.includes('rdb_last_bgsave_status:err'),
  )
  const { code, of } = await look(server.url)
  expect(code).toBe(1)
  expect(of('redis-disk')).toEqual([`error: Redis at ${at(server.port)} could not write its last snapshot.`])
})

test('replicas: none, as many as asked for, one more, and one that is behind; and a replica as REDIS_URL', async () => {
  const master = await startRedis()
  const wanted = { SAOMA_REDIS_REPLICAS: '1' }
  const replicas = async () => (await look(master.url, wanted)).of('redis-replicas')
  const has = `Redis at ${at(master.port)} has`
  expect(await replicas()).toEqual([
    `error: ${has} 0 of the 1 replicas that SAOMA_REDIS_REPLICAS asks for: every write that has to be safe answers 503.`,
  ])
  const startReplica = async (count: number) => {
    const replica = await startRedis({
      args: ['--replicaof', '127.0.0.1', `${master.port}`, '--repl-diskless-sync-delay', '0'],
    })
    const operator = await openOperator(master.url)
    await until(
      async () => (await operator.info('replication')) as string,
      (info) => info.split('state=online').length === count + 1,
    )
    return replica
  }
  const first = await startReplica(1)
  expect(await replicas()).toEqual([expect.stringMatching(`^warning: ${has} 1 of the 1 replicas .+, and none more: `)])
  await startReplica(2)
  expect(await replicas()).toEqual([expect.stringMatching(`^ok: ${has} 2 of the 1 replicas .+, and 1 more\\.$`)])

  const lost = await look(first.url)
  expect(lost.of('redis-role')).toEqual([
    `error: Redis at ${at(first.port)} is a replica of ${at(master.port)}, so nodes cannot write there.`,
  ])
  expect(lost.code).toBe(1)

  await first.kill('SIGSTOP')
  const operator = await openOperator(master.url)
  for (let i = 0; i < 12; i++) await operator.set('filler', 'x'.repeat(1_048_576))
  expect((await look(master.url, wanted)).of('redis-replica-lag')).toEqual(
    expect.arrayContaining([
      expect.stringMatching(`^warning: The replica at ${at(first.port)} of Redis at .+ is 1\\d MB behind, and last`),
    ]),
  )
  await first.kill('SIGCONT')
})

test.each<[what: string, url: (server: RedisServer, free: number) => string, said: RegExp]>([
  ['no password', ({ port }) => `redis://${at(port)}`, / asks for a password and the URL has none/],
  ['a wrong one', ({ port }) => `redis://:wrong@${at(port)}`, / does not take the user or the password of the URL/],
  [
    'a wrong port',
    (_, free) => `redis://:pw@${at(free)}`,
    / did not become ready in time: REDIS_URL names .+ECONNREFUSED/,
  ],
  ['a cluster that is none', ({ port }) => `redis+cluster://:pw@${at(port)}`, / is no member of a Redis Cluster/],
])('%s: it says what a node would say, without the password', async (_, urlOf, said) => {
  const server = await startRedis({ password: 'pw' })
  const { code, findings, stdout } = await look(urlOf(server, await freePort()))
  expect(code).toBe(1)
  expect(findings.map((one) => `${one.code} ${one.level}`)).toEqual(['redis-reachable error'])
  expect(findings[0]?.says).toMatch(said)
  expect(stdout).not.toContain('wrong@')
})

test('a user without rights is told which, and one that may not ask is told what was not seen', async () => {
  const lookAs = async (rights: string) => {
    const server = await startRedis({
      appendonly: true,
      password: 'pw',
      user: { name: 'saoma', rights: `~* &* ${rights}` },
    })
    return look(server.url)
  }
  const poor = await lookAs('+@all -xadd')
  expect(poor.code).toBe(1)
  expect(poor.of('redis-rights')).toEqual([expect.stringMatching(/^error: Redis at .+: ACL SETUSER saoma \+xadd\.$/)])
  const blind = await lookAs('+@all -info')
  expect(blind.of('redis-info')).toEqual([
    expect.stringMatching(/^skipped: Redis at .+ does not say its version.+NOPERM/),
  ])
  expect(blind.of('redis-rights')).toEqual([expect.stringMatching(/^ok: /)])
  // As docs/operate.md has it.
  const least = await lookAs(
    '-@all +@read +@write +@scripting +@pubsub +@connection +@transaction -@dangerous +time +wait +info',
  )
  expect(least.of('redis-persistence')).toEqual([expect.stringMatching(/^ok: .+ keeps an append-only file\.$/)])
  expect(least.findings.filter(({ level }) => level === 'error' || level === 'skipped')).toEqual([])
})

test('a user that may not read settings leaves open what snapshots there are', async () => {
  const server = await startRedis({ password: 'pw', user: { name: 'saoma', rights: '~* &* +@all -config' } })
  expect((await look(server.url)).of('redis-persistence')).toEqual([
    expect.stringMatching(/^skipped: .+ has no append-only file, and does not say whether it saves snapshots\.$/),
  ])
})

test('every master of a Redis Cluster is looked at, and a slot without a master is told', async () => {
  const cluster = await startRedisCluster()
  const operators = await Promise.all(cluster.nodes.map(({ url }) => openOperator(url)))
  await operators[1]?.call('CONFIG', 'SET', 'maxmemory', '64mb')
  await operators[1]?.call('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lfu')
  const { code, of } = await look(cluster.url)
  expect(code).toBe(1)
  expect(of('redis-cluster')).toEqual(['ok: The Redis Cluster is well: 3 masters have all 16384 slots.'])
  for (const name of ['redis-version', 'redis-memory', 'redis-rights', 'redis-latency'])
    expect(of(name)).toHaveLength(3)
  expect(of('redis-eviction').filter((line) => line.startsWith('error'))).toEqual([
    expect.stringContaining(`Redis at ${at(cluster.ports[1] ?? 0)} throws data away`),
  ])
  // The cluster goes on with what it has, so the nodes would start and fail for some people.
  for (const operator of operators) await operator.call('CONFIG', 'SET', 'cluster-require-full-coverage', 'no')
  for (const operator of operators) await operator.call('CLUSTER', 'DELSLOTS', 0)
  expect((await look(cluster.url)).of('redis-cluster')).toEqual([
    'error: The Redis Cluster is not well: 16383 of 16384 slots can be used.',
  ])
})

test('the master that Sentinels name is looked at', async () => {
  const sentinel = await startRedisSentinel()
  const { of } = await look(sentinel.url, { SAOMA_REDIS_REPLICAS: '1' })
  expect(of('redis-reachable')).toEqual([`ok: Redis answers at ${at(sentinel.master.port)}.`])
  expect(of('redis-role')).toEqual([])
  expect(of('redis-replicas')).toEqual([expect.stringMatching(/^ok: .+ has 2 of the 1 replicas/)])
})

test('the Redis of the channels is looked at by its own measure', async () => {
  const chat = await startRedis()
  const { code, of } = await look(good.url, { REDIS_CHANNELS_URL: chat.url })
  expect(code).toBe(0)
  expect(of('redis-reachable')).toHaveLength(2)
  expect(of('redis-persistence')).toEqual([
    expect.stringMatching(/^ok: /),
    `warning: Redis at ${at(chat.port)} keeps nothing on disk: after a restart the channels begin anew.`,
  ])
  const away = await look(good.url, { REDIS_CHANNELS_URL: `redis://${at(await freePort())}` })
  expect(away.of('redis-reachable')).toEqual([
    expect.stringMatching(/^ok: /),
    expect.stringMatching(/^error: .+REDIS_CHANNELS_URL names /),
  ])
})

// As Redis 6 and a replica in the middle of its synchronisation would say.
test('an old server, and a replica that does not follow yet', () => {
  const info = {
    server: 'redis_version:6.2.14\r\n',
    memory: 'used_memory:900\r\nmaxmemory:1000\r\nmaxmemory_policy:noeviction\r\n',
    persistence: 'aof_enabled:1\r\naof_last_write_status:err\r\nrdb_last_bgsave_status:ok\r\n',
    replication:
      'role:master\r\nslave0:ip=10.0.0.6,port=6379,state=wait_bgsave,offset=0,lag=0\r\nmaster_repl_offset:5\r\n',
  }
  const wanted = { replicas: 0, share: 0.8, isDemo: false, holds: 'logins' as const }
  const found = judgeServer({ where: 'a:1', info }, wanted).filter(({ level }) => level !== 'ok')
  expect(found.map(({ code, level, says }) => `${code} ${level}: ${says}`)).toEqual([
    'redis-version error: Redis at a:1 is 6.2.14, which is too old: Redis 7.0, Valkey 7.2 or newer is needed.',
    'redis-memory warning: Redis at a:1 uses 0 MB of 0 MB (90 %): there is little room.',
    'redis-disk error: Redis at a:1 could not write its append-only file.',
    'redis-replica-lag warning: The replica at 10.0.0.6:6379 of Redis at a:1 is connected and does not follow yet.',
  ])
})
