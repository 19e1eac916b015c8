import { glob, readFile } from 'node:fs/promises'
import { freePort, onCleanup, startRedis, startRedisCluster, startRedisSentinel } from '@saoma/testing'
import { Cluster } from 'ioredis'
import {
  assertSuitable,
  createRedis,
  problemsOf,
  type RedisOptions,
  RedisRefused,
  RedisUnavailable,
  RedisUnsuitable,
} from '../src/index.ts'
import { triedCommands } from '../src/trials.ts'

const look = async (url: string, options: Partial<RedisOptions> = {}): Promise<string[]> => {
  const redis = await createRedis({ url, probeMs: 0, ...options })
  onCleanup(() => redis.close())
  return assertSuitable(redis)
}

const lookAt = async (...args: string[]) => look((await startRedis({ args })).url)

test('a default Redis passes, and so does one that refuses writes when full', async () => {
  expect(await lookAt()).toEqual([])
  expect(await lookAt('--maxmemory', '64mb', '--maxmemory-policy', 'noeviction')).toEqual([])
  expect(await lookAt('--maxmemory-policy', 'allkeys-lru')).toEqual([])
})

test('a Redis that evicts data is refused', async () => {
  await expect(lookAt('--maxmemory', '64mb', '--maxmemory-policy', 'volatile-ttl')).rejects.toThrow(
    /^Redis at 127\.0\.0\.1:\d+ throws data away .*\(maxmemory-policy volatile-ttl\).*: set noeviction\.$/,
  )
})

test('a Redis without sharded pub/sub or with a user without our channels is refused', async () => {
  await expect(lookAt('--rename-command', 'SPUBLISH', '')).rejects.toThrow(/^Redis at .* has no sharded pub\/sub/)
  const server = await startRedis({ args: ['--user', 'saoma', 'on', '>pw', '~*', '+@all', 'resetchannels', '&other*'] })
  await expect(look(`redis://saoma:pw@127.0.0.1:${server.port}`)).rejects.toThrow(/ACL SETUSER saoma &saoma\*$/)
})

test('a check that the user may not make is reported and no reason to refuse', async () => {
  const server = await startRedis({ args: ['--user', 'saoma', 'on', '>pw', '~*', '&*', '+@all', '-info'] })
  expect(await look(`redis://saoma:pw@127.0.0.1:${server.port}`)).toEqual([
    expect.stringMatching(/^Redis at 127\.0\.0\.1:\d+ does not say its version and eviction policy \(NOPERM/),
  ])
})

test('every master of a Redis Cluster is checked', async () => {
  const { url } = await startRedisCluster()
  const redis = await createRedis({ url, probeMs: 0 })
  onCleanup(() => redis.close())
  if (!(redis.data instanceof Cluster)) throw new Error('this is no cluster')
  const [, ...others] = redis.data.nodes('master')
  expect(await assertSuitable(redis)).toEqual([])
  for (const master of others) {
    await master.config('SET', 'maxmemory', '64mb')
    await master.config('SET', 'maxmemory-policy', 'allkeys-lfu')
  }
  const refusal = await assertSuitable(redis).catch((error: unknown) => error)
  expect(refusal).toBeInstanceOf(RedisUnsuitable)
  expect((refusal as RedisUnsuitable).problems).toHaveLength(others.length)
})

test('a Redis Cluster that is away is unavailable, not unsuitable', async () => {
  const url = `redis+cluster://127.0.0.1:${await freePort()}`
  await expect(look(url, { mayBeAway: true, readyTimeoutMs: 100 })).rejects.toThrow(RedisUnavailable)
})

test('a node that starts while slots move follows them and refuses nobody for a MOVED', async () => {
  const { url } = await startRedisCluster()
  const redis = await createRedis({ url, probeMs: 0 })
  onCleanup(() => redis.close())
  const { data } = redis
  if (!(data instanceof Cluster)) throw new Error('this is no cluster')
  const masters = [...new Set(data.slots.map(([master = ''] = []) => master))]
  /** As if each slot had moved since it was read. */
  const move = () => {
    data.slots = data.slots.map(([master = '']) => [masters[(masters.indexOf(master) + 1) % masters.length] ?? ''])
  }
  move()
  expect(await assertSuitable(redis)).toEqual([])
  const refresh = data.refreshSlotsCache.bind(data)
  // And they go on.
  data.refreshSlotsCache = (done) =>
    refresh((error, result) => {
      move()
      done?.(error, result)
    })
  move()
  await expect(assertSuitable(redis)).rejects.toThrow(RedisUnavailable)
})

test.each([
  ['6.2.14', 1],
  ['7.0.0', 0],
  ['7.2.4', 0],
  ['8.2.1', 0],
  ['10.0.0', 0],
])('Redis %s has %s problems', (version, problems) => {
  const info = `# Server\r\nredis_version:${version}\r\n# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n`
  expect(problemsOf(info, 'here')).toHaveLength(problems)
})

const file = (path: string) => readFile(new URL(`../../../${path}`, import.meta.url), 'utf8')
/** The user as docs/operate.md has it. */
const documented = async (): Promise<string> => {
  const [, rights = ''] = /^ACL SETUSER saoma on >password (.*)$/m.exec(await file('docs/operate.md')) ?? []
  expect(rights).toContain('+@scripting')
  return rights
}
const startAs = async (rights: string) => startRedis({ password: 'pw', user: { name: 'saoma', rights } })

test('the documented rights suffice with every topology', async () => {
  const access = { password: 'pw', user: { name: 'saoma', rights: await documented() } }
  for (const start of [startRedis, startRedisSentinel, startRedisCluster])
    expect(await look((await start(access)).url)).toEqual([])
  expect(await look((await startRedis(access)).url, { replicas: { count: 1, timeoutMs: 10 } })).toEqual([])
})

test.each([
  ['-@scripting', '+eval +evalsha'],
  ['-@stream', '+xadd +xrange +xrevrange +xlen +xtrim +xdel'],
  ['-@sortedset', '+zadd +zcard +zcount +zrange +zrangebyscore +zscore +zrem +zremrangebyscore'],
  ['-@set', '+sadd +sunionstore +scard +smembers +srem +spop'],
  ['-hset -hget', '+hset +hget'],
  ['-get -pexpire', '+get +pexpire'],
  ['-time', '+time'],
  ['-multi -exec', '+multi +exec'],
  ['-spublish', '+spublish'],
  ['-ssubscribe', '+ssubscribe'],
  ['-sunsubscribe', '+sunsubscribe'],
  ['resetchannels', '&saoma*'],
  ['resetkeys ~other:*', '~saoma:*'],
])('a user with %s is refused with the line that corrects it', async (without, mends) => {
  const server = await startAs(`${await documented()} ${without}`)
  const refusal = await look(server.url).catch((error: unknown) => error)
  expect(refusal).toBeInstanceOf(RedisUnsuitable)
  expect(
    String((refusal as RedisUnsuitable).message)
      .split(': ')
      .at(-1),
  ).toBe(`ACL SETUSER saoma ${mends}`)
})

test('a user without the right to wait for replicas is refused only where they are required', async () => {
  const { url } = await startAs(`${await documented()} -wait`)
  expect(await look(url)).toEqual([])
  await expect(look(url, { replicas: { count: 1, timeoutMs: 10 } })).rejects.toThrow(/ACL SETUSER saoma \+wait$/)
})

test('a Redis that takes no writes for now is unavailable, not unsuitable', async () => {
  for (const args of [
    ['--maxmemory', '1'],
    ['--replicaof', '127.0.0.1', '1'],
    ['--min-replicas-to-write', '1'],
  ])
    await expect(lookAt(...args)).rejects.toThrow(RedisUnavailable)
})

test('a refused connection ends the start at once with a message', async () => {
  const { port, url } = await startAs(`${await documented()}`)
  const here = `127.0.0.1:${port}`
  const nameless = await startAs(`${await documented()} -client`)
  const open = await startRedis()
  const cases = [
    [`${url}/99`, `Redis at ${here} has no database of the number that the URL names (ERR DB index is out of range)`],
    [`redis://saoma:no@${here}`, `Redis at ${here} does not take the user or the password of the URL (WRONGPASS`],
    [`redis://${here}`, `Redis at ${here} asks for a password and the URL has none`],
    [`redis+cluster://127.0.0.1:${open.port}`, 'is no member of a Redis Cluster'],
    [nameless.url, 'does not let this user name its connections: add +client|setname'],
  ] as const
  for (const [url, sentence] of cases) {
    const refusal = await createRedis({ url, probeMs: 0 }).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(RedisRefused)
    expect((refusal as RedisRefused).message).toContain(sentence)
  }
})

test('every command of every script is checked', async () => {
  const used = new Set<string>()
  for await (const path of glob('{packages/*,apps/gateway}/lua/*.lua', { cwd: new URL('../../../', import.meta.url) }))
    for (const [, command = ''] of (await file(path)).matchAll(/redis\.p?call\('([A-Z]+)'/g)) used.add(command)
  expect(used.size).toBeGreaterThan(30)
  expect([...used].filter((command) => !triedCommands.includes(command))).toEqual([])
})
