import { readFileSync } from 'node:fs'
import {
  createAuthority,
  onCleanup,
  type RedisAccess,
  startRedis,
  startRedisCluster,
  startRedisSentinel,
  trusting,
  until,
} from '@saoma/testing'
import { type Certificates, connect, createRedis, type RedisClients, RedisRefused, whenReady } from '../src/index.ts'

/* The table of docs/operate.md: every topology, by every way to it, against real servers. */

const tls = createAuthority()
const password = 'p@ss/word'
const user = { name: 'saoma', rights: '~saoma:* &saoma* +@all' }

const topologies = { standalone: startRedis, Sentinel: startRedisSentinel, Cluster: startRedisCluster }
const ways: Record<string, RedisAccess> = {
  'in the clear': {},
  'with a password': { password },
  'as a user': { user, password },
  'by IPv6': { host: '::1' },
  'with TLS': { tls },
  'with TLS and a password': { tls, password },
  'with TLS, as a user, by IPv6': { tls, user, password, host: '::1' },
}

const LATE = /timeout|Failed to refresh slots cache/

const open = async (url: string, access: { certificates?: Certificates }): Promise<RedisClients> => {
  const errors: Error[] = []
  const redis = await createRedis({ url, ...access, probeMs: 0, onError: (error) => errors.push(error) })
  onCleanup(() => redis.close())
  // On a busy machine an answer may be late, and is asked for again; whatever else goes wrong is a fault.
  expect(errors.map(({ message }) => message).filter((message) => !LATE.test(message))).toEqual([])
  return redis
}

/** Each of the connections is used, on several shards. */
const works = async ({ data, pub, subscriber, keys }: RedisClients): Promise<void> => {
  for (const name of ['a', 'b', 'c', 'd']) {
    expect(await data.set(`${keys.prefix}:{${name}}`, 'x', 'PX', 60_000)).toBe('OK')
    const channel = `${keys.prefix}#{${name}}`
    const heard = Promise.withResolvers<string>()
    await subscriber.hold(channel, { hear: (payload) => heard.resolve(String(payload)) })
    await pub.spublish(channel, name)
    expect(await heard.promise).toBe(name)
  }
}

const cells = Object.entries(topologies).flatMap(([topology, start]) =>
  Object.entries(ways).map(([way, access]) => ({ topology, start, way, access })),
)
test.each(cells)('$topology $way', async ({ start, access }) => {
  const server = await start(access)
  await works(await open(server.url, trusting(access)))
  await server.stop()
})

/** What the start says about it. */
const refusal = async (url: string, access: { certificates?: Certificates } = {}): Promise<string> => {
  const error = await createRedis({ url, ...access, probeMs: 0 }).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(RedisRefused)
  return (error as RedisRefused).message
}

test('further: a Cluster that announces host names is reached by them, as certificates need', async () => {
  const access = { tls, password, certifiedFor: ['localhost'] }
  const cluster = await startRedisCluster({ ...access, announces: 'localhost' })
  await works(await open(cluster.url, trusting(access)))
  const byAddress = cluster.url.replaceAll('localhost', '127.0.0.1')
  expect(await refusal(byAddress, trusting(access))).toMatch(
    /^Redis at 127\.0\.0\.1:\d+: TLS fails, .*IP: 127\.0\.0\.1 is not/,
  )
  await cluster.stop()
})

test('further: an untrusted certificate or one of another host is refused with the reason', async () => {
  const untrusted = /^(Redis|The Sentinel) at 127\.0\.0\.1:\d+: TLS fails, .*\(SELF_SIGNED_CERT_IN_CHAIN\)$/
  for (const start of Object.values(topologies)) expect(await refusal((await start({ tls })).url)).toMatch(untrusted)
  const other = await startRedis({ tls, certifiedFor: ['redis.example'] })
  expect(await refusal(other.url, trusting({ tls }))).toMatch(
    /TLS fails, .*DNS:redis\.example|TLS fails, .*127\.0\.0\.1/,
  )
})

test('further: a wrong password of a Cluster with TLS is refused, and no error is unhandled', async () => {
  const cluster = await startRedisCluster({ tls, password })
  const wrong = cluster.url.replace(encodeURIComponent(password), 'no')
  for (let round = 0; round < 3; round++)
    expect(await refusal(wrong, trusting({ tls }))).toContain('does not take the user or the password of the URL')
  await cluster.stop()
})

test('further: a server that requires our certificate gets it, or the message says so', async () => {
  const asks = ['--tls-auth-clients', 'yes']
  const { certFile, keyFile } = tls.issue(['saoma'])
  const certificates = {
    ...trusting({ tls }).certificates,
    cert: readFileSync(certFile, 'utf8'),
    key: readFileSync(keyFile, 'utf8'),
  }
  const server = await startRedis({ tls, args: asks })
  await works(await open(server.url, { certificates }))
  expect(await refusal(server.url, trusting({ tls }))).toMatch(/^Redis at 127\.0\.0\.1:\d+: .*REDIS_CERT_FILE/)
})

test('further: a database missing after a reconnect is reported, and no other is used', async () => {
  const first = await startRedis()
  const url = `${first.url}/9`
  const errors: Error[] = []
  const redis = await createRedis({ url, probeMs: 0, onError: (error) => errors.push(error) })
  onCleanup(() => redis.close())
  await redis.data.set('in nine', 'x', 'PX', 60_000)
  await first.stop()
  const smaller = await startRedis({ port: first.port, args: ['--databases', '2'] })
  await until(
    async () => errors.map(({ message }) => message),
    (messages) => messages.some((message) => message.includes('database')),
  )
  expect(redis.unavailable()).toContain('data')
  const operator = connect({ ...smaller.operator, name: 'operator', onError: () => {} })
  onCleanup(() => operator.disconnect())
  await whenReady(operator, 5_000)
  await expect(redis.data.set('in none', 'x', 'PX', 60_000)).rejects.toThrow()
  expect(await operator.exists('in none')).toBe(0)
})

test('further: Sentinels get the password of the URL or its sentinel_password', async () => {
  const same = await startRedisSentinel({ password: 'pw', sentinelPassword: 'pw' })
  await works(await open(same.url, {}))
  const other = await startRedisSentinel({ password: 'pw', sentinelPassword: 'other' })
  expect(await refusal(other.url)).toMatch(/^The Sentinel at .* end the URL with \?sentinel_password=/)
  await works(await open(`${other.url}?sentinel_password=other`, {}))
  expect(await refusal(`${same.url}x`)).toContain('knows no master of the name saomax')
})

test('further: a password changed at run time is reported and is not fatal', async () => {
  const server = await startRedis({ password: 'before' })
  const errors: Error[] = []
  const redis = await createRedis({ url: server.url, probeMs: 0, onError: (error) => errors.push(error) })
  onCleanup(() => redis.close())
  const operator = connect({ ...server.operator, name: 'operator', onError: () => {} })
  onCleanup(() => operator.disconnect())
  await whenReady(operator, 5_000)
  await operator.call('CONFIG', 'SET', 'requirepass', 'after')
  await operator.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
  await until(
    async () => errors.map(({ message }) => message),
    (messages) => messages.some((message) => message.includes('does not take the user or the password of the URL')),
  )
  expect(redis.unavailable()).toContain('data')
  await operator.call('CONFIG', 'SET', 'requirepass', 'before')
  await until(
    async () => redis.unavailable(),
    (roles) => roles.length === 0,
  )
})
