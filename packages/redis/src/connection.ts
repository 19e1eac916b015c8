import { backoffMs } from '@saoma/protocol'
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis'
import { type Certificates, placeOf, ServerConnector, sentinelConnector } from './connector.ts'
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
  /** For a URL that says TLS. */
  certificates?: Certificates
  onError: (error: Error) => void
}

/** Grows to two seconds, with jitter so that a cluster of nodes does not return to Redis in one instant. */
export const reconnectDelayMs = (attempt: number): number =>
  backoffMs(attempt, { baseMs: 50, capMs: 2_000, least: 0.5 })

/**
 * Longer than any command may take. A Sentinel that takes connections and answers nothing would be waited
 * for, for ever.
 */
const COMMAND_TIMEOUT_MS = 3_000

/**
 * READONLY makes a connection anew at once, and then, as long as it leads to a replica, after pauses that
 * grow to this.
 */
const LONGEST_READONLY_PAUSE_MS = 8_000
const FIRST_READONLY_PAUSE_MS = 1_000

/**
 * The master was demoted and its address now leads elsewhere: a new connection finds out where. The command
 * is not sent again. Each new connection ends what is under way on the old one, reads too, so a master that
 * stays demoted is not left for itself without a pause.
 */
const leaveReplica = (): ((error: Error) => boolean) => {
  let pauseMs = FIRST_READONLY_PAUSE_MS
  let notBefore = 0
  return ({ message }) => {
    const now = performance.now()
    if (!message.startsWith('READONLY') || now < notBefore) return false
    // It was another demotion that let us wait last.
    if (now - notBefore > LONGEST_READONLY_PAUSE_MS) pauseMs = FIRST_READONLY_PAUSE_MS
    notBefore = now + pauseMs * (0.5 + Math.random() / 2)
    pauseMs = Math.min(pauseMs * 2, LONGEST_READONLY_PAUSE_MS)
    return true
  }
}

const tlsOf = (address: Address, certificates: Certificates = {}): Certificates | undefined =>
  address.tls ? certificates : undefined

/**
 * What every connection to a server with data is made with, whoever makes it: who we are, TLS, and how long
 * to wait. It has no host, no database and no word about reconnecting.
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
    // A connection whose commands stay without any answer is half open: Redis or the network is gone without
    // a word.
    socketTimeout: 6_000,
    // A command whose connection is lost fails at that moment. ioredis would send it again after the
    // reconnect, when its caller may long have been told that nothing was done.
    maxRetriesPerRequest: 0,
    // ioredis keeps the process alive this long when it is told to disconnect from a server that has gone
    // already.
    disconnectTimeout: 200,
    enableReadyCheck: true,
    autoResubscribe: false,
    // Two commands that Redis before 7.2 does not know, for every connection.
    disableClientInfo: true,
    reconnectOnError: leaveReplica(),
    ...(address.username === undefined ? {} : { username: address.username }),
    ...(address.password === undefined ? {} : { password: address.password }),
    ...(tls ? { tls } : {}),
  } satisfies RedisOptions
}

/** An error of a connection as an operator reads it; see `connect`. */
const TOLD = 'told'

/** Gives an error of a connection to whoever opened it, and to `whenReady`. */
const tellOf =
  (connection: Connection, onError: (error: Error) => void) =>
  (error: Error): void => {
    connection.emit(TOLD, error)
    onError(error)
  }

/** The same error with the place where it happened, and with what to do when we know it. */
const explained = (error: Error, where: string): Error =>
  // Those of the search for a master name their place already.
  (error instanceof RedisRefused || error instanceof RedisUnavailable ? error : refusalOf(error, where)) ??
  Object.assign(new Error(`Redis at ${where}: ${error.message}`, { cause: error }), {
    code: (error as NodeJS.ErrnoException).code,
  })

/**
 * Opens a connection to one server, such as a shard of a Redis Cluster, with the options of every other and
 * the same care for its errors.
 *
 * @param more  what is to be otherwise than on a connection of `connect`
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
  const tell = tellOf(connection, options.onError)
  guardHandshake(connection, (error) => {
    const { remoteAddress: host, remotePort: port } = connection.stream ?? {}
    tell(explained(error, host && port ? placeOf({ host, port }) : `the address of the master ${master}`))
  })
  return connection
}

const connectCluster = (address: Address, options: ConnectionOptions): Cluster => {
  const connection = new Cluster(address.hosts, {
    // A shard is connected when it is found, not at its first command: the second would be refused while the
    // first connects.
    redisOptions: { ...serverOptions(options), lazyConnect: false },
    enableOfflineQueue: false,
    // ioredis asks any master whether the cluster is well, and begins anew when that one is only being
    // connected to: a cluster that has failed over was not entered in 15 s by one start of twenty. What the
    // shards say of themselves is tried anyway, and then by the beat.
    enableReadyCheck: false,
    // A host is asked for by its name, which is what its certificate says, and not by the address that
    // ioredis finds for it before.
    dnsLookup: (name, found) => found(null, name),
    // Not again after a lost connection, for the same reason as above. MOVED, ASK, TRYAGAIN and CLUSTERDOWN
    // are still followed: a command that got one of those was not run.
    retryDelayOnFailover: 0,
    slotsRefreshTimeout: 2_000,
    clusterRetryStrategy: reconnectDelayMs,
  } satisfies ClusterOptions)
  connection.on('+node', (node: Redis) => guardHandshake(node))
  const tell = tellOf(connection, options.onError)
  const tellNode = (error: Error, key: string) => {
    const colon = key.lastIndexOf(':')
    tell(explained(error, placeOf({ host: key.slice(0, colon), port: Number(key.slice(colon + 1)) })))
  }
  connection.on('node error', tellNode)
  // That none of them could be asked; each said why.
  connection.on('error', tell)
  return connection
}

/**
 * Opens one connection. It fails fast instead of queueing while Redis is away: a caller hears "unavailable"
 * within `commandTimeout` and can answer 503, and nothing is done later behind its back.
 */
export const connect = (options: ConnectionOptions): Connection => {
  const address = parseRedisUrl(options.url)
  if (address.kind === 'sentinel') return connectSentinel(address, options)
  if (address.kind === 'cluster') return connectCluster(address, options)
  const [host = { host: 'localhost', port: 6379 }] = address.hosts
  return connectServer(options, host, { db: address.db })
}

/** Resolves at the first of these events, or when it is told to give up. */
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
 * Resolves when commands can be sent: at the first `ready`, and in a Redis Cluster when no shard is being
 * connected any more. Rejects with RedisRefused at once when Redis does not let us in, and after `timeoutMs`
 * with RedisUnavailable, whose cause is the last error.
 */
export const whenReady = async (connection: Connection, timeoutMs: number): Promise<void> => {
  const over = new AbortController()
  let last: Error | undefined
  const onTold = (error: Error) => {
    last = error
    if (error instanceof RedisRefused) over.abort(error)
  }
  const timer = setTimeout(() => {
    // ioredis waits for a server that is loading, and says nothing.
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
