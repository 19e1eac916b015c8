import { backoffMs } from '@saoma/protocol'
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis'
import { type Certificates, placeOf, ServerConnector, sentinelConnector } from './connector.ts'
import { gatherWrites } from './gather.ts'
import { rejectOverdue } from './overdue.ts'
import { guardHandshake, RedisRefused, refusalOf } from './refused.ts'
import { RedisUnavailable } from './replies.ts'
import { type Address, parseRedisUrl } from './url.ts'

export { orUnavailable, RedisUnavailable } from './replies.ts'

/** A connection to standalone Redis, to the master that Sentinels name, or to a Redis Cluster. */
export type Connection = Redis | Cluster

export interface ConnectionOptions {
  /**
   * Where Redis is, in one string: `redis://[user:password@]host:port[/db]` (`rediss://` for TLS),
   * `redis+sentinel://[user:password@]host:port,host:port/master-name[/db][?sentinel_username=…&sentinel_password=…]`
   * (`rediss+sentinel://` for TLS to the Sentinels and to the master),
   * `redis+cluster://[user:password@]host:port,host:port` (`rediss+cluster://` for TLS).
   */
  url: string
  /** Name shown by `CLIENT LIST`. */
  name: string
  /** For a URL with TLS. */
  certificates?: Certificates
  onError: (error: Error) => void
}

/** Grows to two seconds. The jitter spreads the reconnects of all nodes. */
export const reconnectDelayMs = (attempt: number): number =>
  backoffMs(attempt, { baseMs: 50, capMs: 2_000, least: 0.5 })

/**
 * Longer than any command may take. Without this timeout a Sentinel that accepts connections but never
 * answers would block the search.
 */
export const COMMAND_TIMEOUT_MS = 3_000

/**
 * The first READONLY reconnects at once. As long as the address leads to a replica, the pauses between
 * reconnects grow to this.
 */
const LONGEST_READONLY_PAUSE_MS = 8_000
const FIRST_READONLY_PAUSE_MS = 1_000

/**
 * READONLY means that the master was demoted; a new connection finds its successor. The command is not
 * repeated. Each reconnect aborts the commands under way, reads too. So the pauses grow while the address
 * still leads to a demoted master.
 */
const leaveReplica = (): ((error: Error) => boolean) => {
  let pauseMs = FIRST_READONLY_PAUSE_MS
  let notBefore = 0
  return ({ message }) => {
    const now = performance.now()
    if (!message.startsWith('READONLY') || now < notBefore) return false
    // The last pause belonged to an earlier demotion.
    if (now - notBefore > LONGEST_READONLY_PAUSE_MS) pauseMs = FIRST_READONLY_PAUSE_MS
    notBefore = now + pauseMs * (0.5 + Math.random() / 2)
    pauseMs = Math.min(pauseMs * 2, LONGEST_READONLY_PAUSE_MS)
    return true
  }
}

const tlsOf = (address: Address, certificates: Certificates = {}): Certificates | undefined =>
  address.tls ? certificates : undefined

/**
 * Options of every connection to a data server: credentials, TLS and timeouts. Host, database and
 * reconnecting are set elsewhere.
 */
export const serverOptions = ({
  url,
  name,
  certificates,
}: Pick<ConnectionOptions, 'url' | 'name' | 'certificates'>) => {
  const address = parseRedisUrl(url)
  const tls = tlsOf(address, certificates)
  return {
    Connector: ServerConnector,
    connectionName: name,
    connectTimeout: 5_000,
    commandTimeout: COMMAND_TIMEOUT_MS,
    // A connection whose commands get no reply is half open: Redis or the network disappeared without closing
    // it.
    socketTimeout: 6_000,
    // A command fails at once when its connection is lost. ioredis would otherwise repeat it after the
    // reconnect, when its caller may already have reported a failure.
    maxRetriesPerRequest: 0,
    // If the server is already gone, ioredis keeps the process alive this long after a disconnect.
    disconnectTimeout: 200,
    enableReadyCheck: true,
    autoResubscribe: false,
    // Redis before 7.2 does not know two commands that this would send on every connection.
    disableClientInfo: true,
    reconnectOnError: leaveReplica(),
    ...(address.username === undefined ? {} : { username: address.username }),
    ...(address.password === undefined ? {} : { password: address.password }),
    ...(tls ? { tls } : {}),
  } satisfies RedisOptions
}

/** Event with a connection error as the operator reads it; see `connect`. */
const TOLD = 'told'

/** Returns a function that reports an error of a connection to its opener and to `whenReady`. */
const tellOf =
  (connection: Connection, onError: (error: Error) => void) =>
  (error: Error): void => {
    connection.emit(TOLD, error)
    onError(error)
  }

/** The same error, with the server's address and, if known, what to do about it. */
const explained = (error: Error, where: string): Error =>
  // Errors of the search for a master already name the server.
  (error instanceof RedisRefused || error instanceof RedisUnavailable ? error : refusalOf(error, where)) ??
  Object.assign(new Error(`Redis at ${where}: ${error.message}`, { cause: error }), {
    code: (error as NodeJS.ErrnoException).code,
  })

/**
 * Opens a connection to one server, such as a shard of a Redis Cluster, with the same options and error
 * handling as every other connection.
 *
 * @param more  options that differ from those of `connect`
 */
export const connectServer = (
  options: ConnectionOptions,
  { host, port }: { host: string; port: number },
  more: RedisOptions = {},
): Redis => {
  const server = new Redis({
    ...serverOptions(options),
    enableOfflineQueue: false,
    retryStrategy: reconnectDelayMs,
    host,
    port,
    ...more,
  })
  gatherWrites(server)
  rejectOverdue(server)
  const tell = tellOf(server, options.onError)
  guardHandshake(server, (error) => tell(explained(error, placeOf({ host, port }))))
  return server
}

const connectSentinel = (address: Address, options: ConnectionOptions): Redis => {
  const { hosts, master = '', sentinel = {}, db } = address
  const connection = new Redis({
    ...serverOptions(options),
    enableOfflineQueue: false,
    retryStrategy: reconnectDelayMs,
    db,
    Connector: sentinelConnector({
      sentinels: hosts,
      master,
      ...sentinel,
      tls: tlsOf(address, options.certificates),
      timeoutMs: COMMAND_TIMEOUT_MS,
      pauseMs: reconnectDelayMs,
    }),
  })
  gatherWrites(connection)
  rejectOverdue(connection)
  const tell = tellOf(connection, options.onError)
  guardHandshake(connection, (error) => {
    const { remoteAddress: host, remotePort: port } = connection.stream ?? {}
    tell(explained(error, host && port ? placeOf({ host, port }) : `the address of the master ${master}`))
  })
  return connection
}

const connectCluster = (address: Address, options: ConnectionOptions): Cluster => {
  const connection = new Cluster(address.hosts, {
    // Connect a shard when it is discovered, not at its first command: a second command would be refused
    // while the first one connects.
    redisOptions: { ...serverOptions(options), lazyConnect: false },
    enableOfflineQueue: false,
    // With this check ioredis asks any master about the cluster's state, and restarts if that master is still
    // connecting. Then one start in twenty did not join a cluster within 15 s after a failover. Commands show
    // the shards' state anyway, and later the beat does.
    enableReadyCheck: false,
    // Connect by host name, because that is what the certificate contains. ioredis would resolve the name to
    // an address first.
    dnsLookup: (name, found) => found(null, name),
    // Do not repeat a command after a lost connection, for the same reason as above. MOVED, ASK, TRYAGAIN and
    // CLUSTERDOWN are still followed: a command with such a reply did not run.
    retryDelayOnFailover: 0,
    slotsRefreshTimeout: 2_000,
    clusterRetryStrategy: reconnectDelayMs,
  } satisfies ClusterOptions)
  connection.on('+node', (node: Redis) => {
    gatherWrites(node)
    rejectOverdue(node)
    guardHandshake(node)
  })
  const tell = tellOf(connection, options.onError)
  const tellNode = (error: Error, key: string) => {
    const colon = key.lastIndexOf(':')
    tell(explained(error, placeOf({ host: key.slice(0, colon), port: Number(key.slice(colon + 1)) })))
  }
  connection.on('node error', tellNode)
  // This error means that no server answered. Each server's own error was reported before.
  connection.on('error', tell)
  return connection
}

/**
 * Opens one connection. While Redis is unavailable, commands fail fast instead of queueing: the caller gets
 * an error within `commandTimeout` and can answer 503, and nothing runs later in the background.
 */
export const connect = (options: ConnectionOptions): Connection => {
  const address = parseRedisUrl(options.url)
  if (address.kind === 'sentinel') return connectSentinel(address, options)
  if (address.kind === 'cluster') return connectCluster(address, options)
  const [host = { host: 'localhost', port: 6379 }] = address.hosts
  return connectServer(options, host, { db: address.db })
}

/** Resolves at the first of these events, or when `giveUp` is aborted. */
const firstOf = (emitter: Connection, events: readonly string[], giveUp: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      for (const event of events) emitter.off(event, done)
      giveUp.removeEventListener('abort', done)
      resolve()
    }
    for (const event of events) emitter.on(event, done)
    giveUp.addEventListener('abort', done)
  })

/**
 * Resolves when commands can be sent: at the first `ready`, and in a Redis Cluster when no shard is still
 * connecting. Rejects with RedisRefused at once when Redis refuses the connection, and with RedisUnavailable
 * after `timeoutMs`. Its cause is the last error.
 */
export const whenReady = async (connection: Connection, timeoutMs: number): Promise<void> => {
  const over = new AbortController()
  let last: Error | undefined
  const onTold = (error: Error) => {
    last = error
    if (error instanceof RedisRefused) over.abort(error)
  }
  const timer = setTimeout(() => {
    // While a server is loading its data, ioredis waits silently.
    if (connection.status === 'connect') last ??= new Error('it answers, but it may still be loading its data')
    over.abort(new RedisUnavailable('Redis did not become ready in time', { cause: last }))
  }, timeoutMs)
  connection.on(TOLD, onTold)
  try {
    if (connection.status !== 'ready') await firstOf(connection, ['ready'], over.signal)
    if (!(connection instanceof Redis)) {
      const unsettled = connection.nodes('master').filter(({ status }) => status !== 'ready' && status !== 'end')
      await Promise.all(unsettled.map((node) => firstOf(node, ['ready', 'end'], over.signal)))
    }
    over.signal.throwIfAborted()
  } finally {
    clearTimeout(timer)
    connection.off(TOLD, onTold)
  }
}
