import { type Cluster, Redis, type RedisOptions } from 'ioredis'
import { SettledCluster } from './cluster.ts'

/** A connection to standalone Redis, to the master that Sentinels name, or to a Redis Cluster. */
export type Connection = Redis | Cluster

export interface ConnectionOptions {
  /**
   * Where Redis is, in one string:
   * `redis://[user:password@]host:port[/db]` (`rediss://` for TLS),
   * `redis+sentinel://[user:password@]host:port,host:port/master-name[/db]`,
   * `redis+cluster://[user:password@]host:port,host:port` (`rediss+cluster://` for TLS).
   */
  url: string
  /** Name shown by `CLIENT LIST`. */
  name: string
  onError: (error: Error) => void
  /** Whether it is for sharded subscriptions: in a Redis Cluster those are further connections, one to each shard. @default false */
  subscribes?: boolean
}

interface Address {
  kind: 'standalone' | 'sentinel' | 'cluster'
  tls: boolean
  hosts: { host: string; port: number }[]
  path: string[]
  username?: string
  password?: string
}

/** Parses the forms of `ConnectionOptions.url`. Throws TypeError with a sentence for the operator. */
export const parseRedisUrl = (url: string): Address => {
  const match = /^(redis|rediss)(?:\+(sentinel|cluster))?:\/\/(?:([^:@/]*)(?::([^@/]*))?@)?([^/@]+)(?:\/(.*))?$/.exec(
    url,
  )
  const [, scheme, kind, username, password, hostList = '', path = ''] = match ?? []
  if (!scheme)
    throw new TypeError(
      'REDIS_URL is not of the form redis[s][+sentinel|+cluster]://[user:password@]host:port[,host:port][/path]',
    )
  const hosts = hostList.split(',').map((entry) => {
    const [, host, port = '6379'] = /^(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(entry) ?? []
    if (!host || Number(port) > 65_535) throw new TypeError(`REDIS_URL names a host that cannot be read: ${entry}`)
    return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) }
  })
  if (!kind && hosts.length > 1)
    throw new TypeError('REDIS_URL lists several hosts: write redis+sentinel:// or redis+cluster://')
  const names = path.split('/').filter(Boolean)
  const db = kind === 'sentinel' ? names[1] : names[0]
  if (kind === 'cluster' && db !== undefined)
    throw new TypeError('REDIS_URL names a database, but a Redis Cluster has one only: end it after the hosts')
  if (db !== undefined && !/^\d+$/.test(db))
    throw new TypeError(`REDIS_URL names a database that is not a number: ${db}`)
  return {
    kind: (kind as Address['kind'] | undefined) ?? 'standalone',
    tls: scheme === 'rediss',
    hosts,
    path: names,
    ...(username ? { username: decode(username) } : {}),
    ...(password ? { password: decode(password) } : {}),
  }
}

const decode = (credential: string): string => {
  try {
    return decodeURIComponent(credential)
  } catch (cause) {
    throw new TypeError('REDIS_URL holds a user or a password with a bare %: write it as %25', { cause })
  }
}

/** Grows to two seconds, with jitter so that a cluster of nodes does not return to Redis in one instant. */
export const reconnectDelayMs = (attempt: number): number =>
  Math.min(50 * 2 ** Math.min(attempt, 6), 2_000) * (0.5 + Math.random() / 2)

/**
 * Opens one connection. It fails fast instead of queueing while Redis is away: a caller hears "unavailable" within
 * `commandTimeout` and can answer 503, and nothing is done later behind its back.
 */
export const connect = ({ url, name, onError, subscribes = false }: ConnectionOptions): Connection => {
  const address = parseRedisUrl(url)
  const common = {
    connectionName: name,
    connectTimeout: 5_000,
    commandTimeout: 3_000,
    // A connection whose commands stay without any answer is half open: Redis or the network is gone without a word.
    socketTimeout: 6_000,
    // A command whose connection is lost fails at that moment. ioredis would send it again after the reconnect, when its caller may
    // long have been told that nothing was done.
    maxRetriesPerRequest: 0,
    // ioredis keeps the process alive this long when it is told to disconnect from a server that has gone already.
    disconnectTimeout: 200,
    enableReadyCheck: true,
    autoResubscribe: false,
    ...(address.username ? { username: address.username } : {}),
    ...(address.password ? { password: address.password } : {}),
    ...(address.tls ? { tls: {} } : {}),
  } satisfies RedisOptions

  const connection =
    address.kind === 'cluster'
      ? new SettledCluster(address.hosts, {
          // A shard is connected when it is found, not at its first command: the second would be refused while the first connects.
          redisOptions: { ...common, lazyConnect: false },
          enableOfflineQueue: false,
          shardedSubscribers: subscribes,
          // Not again after a lost connection, for the same reason as above. MOVED, ASK, TRYAGAIN and CLUSTERDOWN are still followed:
          // a command that got one of those was not run.
          retryDelayOnFailover: 0,
          slotsRefreshTimeout: 2_000,
          clusterRetryStrategy: reconnectDelayMs,
        })
      : new Redis({
          ...common,
          enableOfflineQueue: false,
          retryStrategy: reconnectDelayMs,
          ...(address.kind === 'sentinel'
            ? {
                sentinels: address.hosts,
                name: address.path[0] ?? 'mymaster',
                db: Number(address.path[1] ?? 0),
                sentinelRetryStrategy: reconnectDelayMs,
              }
            : { ...address.hosts[0], db: Number(address.path[0] ?? 0) }),
        })
  connection.on('error', onError)
  return connection
}

/**
 * Resolves when commands can be sent: at the first `ready`, and in a Redis Cluster when no shard is being connected any more.
 * Rejects after `timeoutMs` with the last error Redis gave.
 */
export const whenReady = async (connection: Connection, timeoutMs: number): Promise<void> => {
  const start = performance.now()
  if (connection.status !== 'ready') await oneOf(connection, ['ready'], timeoutMs)
  if (connection instanceof Redis) return
  const unsettled = connection.nodes('master').filter(({ status }) => status !== 'ready' && status !== 'end')
  const leftMs = timeoutMs - (performance.now() - start)
  await Promise.all(unsettled.map((node) => oneOf(node, ['ready', 'end'], leftMs)))
}

const oneOf = (connection: Connection, events: ('ready' | 'end')[], timeoutMs: number): Promise<void> =>
  new Promise((resolve, reject) => {
    let last: Error | undefined
    const settle = (act: () => void) => {
      clearTimeout(timer)
      for (const event of events) connection.off(event, onEvent)
      connection.off('error', onError)
      act()
    }
    const onEvent = () => settle(resolve)
    const onError = (error: Error) => {
      last = error
    }
    const timer = setTimeout(
      () => settle(() => reject(new RedisUnavailable('Redis did not become ready in time', { cause: last }))),
      timeoutMs,
    )
    for (const event of events) connection.on(event, onEvent)
    connection.on('error', onError)
  })

/** Redis cannot be asked right now. Whoever sees it answers `REDIS_UNAVAILABLE`. */
export class RedisUnavailable extends Error {
  override readonly name = 'RedisUnavailable'
}

/** States of a server that will pass: loading, failing over, out of memory, not enough replicas. */
const passing = /^(LOADING|MASTERDOWN|READONLY|CLUSTERDOWN|TRYAGAIN|OOM|NOREPLICAS|BUSY|MISCONF|UNBLOCKED)/

/** Passes a reply on; turns "cannot be asked" into RedisUnavailable and lets a reply that is our own mistake through as it is. */
export const reply = async <T>(pending: Promise<T>): Promise<T> => {
  try {
    return await pending
  } catch (error) {
    const ours = error instanceof Error && error.name === 'ReplyError' && !passing.test(error.message)
    if (ours) throw error
    throw new RedisUnavailable('Redis cannot be reached', { cause: error })
  }
}
