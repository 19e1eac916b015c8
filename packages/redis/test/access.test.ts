import { once } from 'node:events'
import {
  createAuthority,
  onCleanup,
  type RedisAccess,
  startRedis,
  startRedisCluster,
  startRedisSentinel,
  trusting,
} from '@saoma/testing'
import { type Certificates, createRedis, type RedisClients } from '../src/index.ts'

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
    await subscriber.hold(channel)
    const heard = once(subscriber, 'message')
    await pub.spublish(channel, name)
    expect(String((await heard)[1])).toBe(name)
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
