import { Cluster } from 'ioredis'
import { boundBacklog } from './backlog.ts'
import { createBeat } from './beat.ts'
import { watchCommands } from './commands.ts'
import { type Connection, connect, whenReady } from './connection.ts'
import type { Certificates } from './connector.ts'
import { createKeys, type Keys } from './keys.ts'
import { createProbe } from './probe.ts'
import { RedisRefused } from './refused.ts'
import { createReplicas, type Replicas, type ReplicasOptions } from './replicas.ts'
import { watchRights } from './rights.ts'
import { shardsOf } from './shards.ts'
import { Subscriber } from './subscriber.ts'
import { shardsOf as tagShardsOf } from './tags.ts'

export interface RedisOptions {
  /** See `ConnectionOptions.url`. */
  url: string
  /** For a URL with TLS. */
  certificates?: Certificates
  /** First part of every key and channel. @default 'saoma' */
  prefix?: string
  /** Shown by `CLIENT LIST`, followed by the role. @default 'saoma' */
  name?: string
  /** Milliseconds to wait for the first connection. @default 15000 */
  readyTimeoutMs?: number
  /**
   * If true, the clients open although Redis is unavailable; calls fail until it is reachable. A Redis that
   * refuses the connection is still an error. @default false
   * @default false
   */
  mayBeAway?: boolean
  /**
   * Milliseconds between two beats, each a write and a message to ourselves; 0 turns them off. @default 2000
   */
  probeMs?: number
  /** Most commands per connection that wait for their replies; more fail at once. @default 10000 */
  mostWaiting?: number
  /** Replicas that must acknowledge a write. @default none */
  replicas?: ReplicasOptions
  /** Called for each echo of a beat, with its round-trip time in seconds. */
  onEcho?: (seconds: number) => void
  /**
   * Called with Redis's error word when it begins to refuse writes on a connection, and with undefined when
   * it accepts them again.
   */
  onRefusal?: (role: Role, word: string | undefined, error?: Error) => void
  /**
   * Called when Redis, or a shard, has lost its data: it was emptied, or came back without data. Earlier
   * reads are no longer reliable.
   */
  onEmptied?: () => void
  /** Called for every connection error; ioredis reconnects by itself. */
  onError?: (error: Error, role: Role) => void
  /**
   * Called for each command with its duration in seconds, and whether Redis replied. @default nothing is
   * timed
   * @default nothing is timed
   */
  onCommand?: (role: Role, seconds: number, replied: boolean) => void
  /** Called each time a lost connection can be used again. */
  onReconnect?: (role: Role) => void
}

export type Role = 'data' | 'pub' | 'sub'

/** The three connections of a node: commands, the adapter's publishes, and subscriptions. */
export interface RedisClients extends Replicas {
  data: Connection
  pub: Connection
  subscriber: Subscriber
  keys: Keys
  /** Roles that cannot be used at the moment; empty when all is well. */
  unavailable(): Role[]
  /**
   * The error word with which Redis refuses writes on the connection of that role, such as READONLY or OOM.
   */
  refusal(role: Role): string | undefined
  /** Age of the last echo in seconds; undefined before the first echo, 0 without beats. */
  echoAge(): number | undefined
  close(): Promise<void>
}

/** Beats between two checks of the user's rights. */
const BEATS_A_LOOK = 15

/** Connects all three, or rejects with RedisUnavailable. */
export const createRedis = async (options: RedisOptions): Promise<RedisClients> => {
  const {
    url,
    certificates,
    prefix = 'saoma',
    name = 'saoma',
    readyTimeoutMs = 15_000,
    mayBeAway = false,
    probeMs = 2_000,
    mostWaiting = 10_000,
    replicas = { count: 0, timeoutMs: 0 },
    onEcho = () => {},
    onRefusal = () => {},
    onEmptied = () => {},
    onError = () => {},
    onCommand,
    onReconnect = () => {},
  } = options
  /** Set when closing: no callback may be called any more. */
  let isOver = false
  const optionsOf = (role: Role) => ({
    url,
    ...(certificates ? { certificates } : {}),
    name: `${name}:${role}`,
    onError: (error: Error) => isOver || onError(error, role),
  })
  const watch = (role: Role, connection: Connection) => {
    let wasReady = false
    connection.on('ready', () => {
      if (wasReady) onReconnect(role)
      wasReady = true
    })
    // The subscriptions' callers bound their number.
    if (role !== 'sub') boundBacklog(connection, mostWaiting)
    if (onCommand) watchCommands(connection, (seconds, replied) => onCommand(role, seconds, replied))
  }
  const connections = { data: connect(optionsOf('data')), pub: connect(optionsOf('pub')) }
  const all = Object.entries(connections) as [Exclude<Role, 'sub'>, Connection][]
  for (const [role, connection] of all) watch(role, connection)
  const subscriber = new Subscriber(
    shardsOf(optionsOf('sub'), connections.pub, (connection) => watch('sub', connection)),
  )
  try {
    const ready = all.map(([, connection]) => whenReady(connection, readyTimeoutMs))
    await Promise.all([...ready, subscriber.ready(readyTimeoutMs)])
  } catch (error) {
    // A refusal does not pass by itself.
    if (!mayBeAway || error instanceof RedisRefused) {
      isOver = true
      subscriber.close()
      for (const [, connection] of all) connection.disconnect()
      throw error
    }
  }
  // When masters change, the subscriber refreshes the slots of `pub` within a second. `data` would learn of
  // it only from its next command.
  const { data, pub } = connections
  if (data instanceof Cluster && pub instanceof Cluster)
    pub.on('refresh', () => {
      const known = tagShardsOf(data)
      if (![...tagShardsOf(pub)].every((master) => known.has(master))) data.refreshSlotsCache()
    })
  const keys = createKeys(prefix)
  const beat = createBeat(connections, keys, { onRefusal, onEmptied })
  const probe =
    probeMs > 0
      ? createProbe(connections.data, subscriber, beat, keys, {
          intervalMs: probeMs,
          onEcho,
          onDeaf: () => onError(new Error('the subscription is connected but hears nothing; making it anew'), 'sub'),
        })
      : undefined
  for (const [role, connection] of all) connection.on('ready', () => probe?.hasten(role))
  // For writes on the data connection.
  const confirmations = createReplicas(connections.data, keys, replicas)
  /** The missing rights, as the last check found them. */
  let missed: string | undefined
  const rights =
    probeMs > 0
      ? watchRights(
          { ...connections, keys, asksReplicas: confirmations.asksReplicas },
          {
            everyMs: probeMs * BEATS_A_LOOK,
            againMs: probeMs * 2,
            onLook: (missing) => {
              // If the beat is already refused, its error word was reported, but not what to do about it.
              if (missing && missing.message !== missed && beat.refusal('data')) onError(missing, 'data')
              missed = missing?.message
              beat.heed('data', 'rights', missing && 'NOPERM', missing)
            },
          },
        )
      : undefined

  return {
    data: connections.data,
    pub: connections.pub,
    subscriber,
    keys,
    ...confirmations,
    unavailable: () => [
      ...all.filter(([role, connection]) => connection.status !== 'ready' || beat.fails(role)).map(([role]) => role),
      ...(subscriber.connected && !probe?.isDeaf() ? [] : (['sub'] as const)),
    ],
    refusal: (role) => (role === 'sub' ? subscriber.refusal : beat.refusal(role)),
    echoAge: () => (probe ? probe.age() : 0),
    close: async () => {
      probe?.close()
      rights?.close()
      beat.close()
      subscriber.close()
      connections.pub.disconnect()
      // The data connection may still carry replies. Wait a moment, then disconnect.
      await Promise.race([
        connections.data.quit().catch(() => {}),
        new Promise((done) => setTimeout(done, 1_000).unref()),
      ])
      connections.data.disconnect()
    },
  }
}
