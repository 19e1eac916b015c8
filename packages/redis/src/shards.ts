import calculateSlot from 'cluster-key-slot'
import { Cluster, type Redis } from 'ioredis'
import {
  type Connection,
  type ConnectionOptions,
  connect,
  connectServer,
  RedisUnavailable,
  whenReady,
} from './connection.ts'
import { keyOf, type Place, readTopology, Topology } from './topology.ts'

/**
 * Why a channel must be read again. `pushed`: Redis ended the subscription. `lost`: the connection was lost.
 * `probe`: the subscription was deaf. `late`: its first confirmation was late. `suspect`: the subscription
 * was there all the time, but its messages are in doubt.
 */
export type Cause = 'pushed' | 'lost' | 'probe' | 'late' | 'suspect'

/** The connection to one master, for subscriptions and for questions about slots. */
export interface Shard {
  readonly key: string
  readonly connection: Redis
  /** Subscriptions that Redis has ended on this shard and that are not yet identified. */
  ended: number
  /** Whether they are being identified. */
  isHeeding: boolean
  /** The shard is back and may no longer be the master. It is not used until that is known. */
  isDoubted: boolean
  /** When the connection was lost; undefined while it is there, and before it was first ready. */
  awaySince: number | undefined
  /** The cause to report for the loss of the connection. */
  cause: Cause
}

/** Source of the connections. */
export interface ShardsSource {
  /** Opens a connection to a master of a Redis Cluster, or without a place to the server of the URL. */
  open: (place?: Place) => Redis
  /** Knows the masters of a Redis Cluster. Without a cluster there is one shard with all channels. */
  cluster?: Cluster
  /** Called at intervals while Redis refuses subscriptions for a reason that does not pass by itself. */
  onRefused?: (error: Error) => void
}

/**
 * @param options  for connections that subscribe
 * @param commands  a connection to the same Redis, for commands
 * @param onOpen  called for each new connection
 */
export const shardsOf = (
  options: ConnectionOptions,
  commands: Connection,
  onOpen: (connection: Redis) => void = () => {},
): ShardsSource => ({
  open: (place) => {
    const opened = place ? connectServer(options, place) : connect(options)
    if (opened instanceof Cluster)
      throw new TypeError('subscriptions of a Redis Cluster need a connection that knows its masters')
    onOpen(opened)
    return opened
  },
  ...(commands instanceof Cluster ? { cluster: commands } : {}),
  onRefused: options.onError,
})

interface ShardsOptions extends ShardsSource {
  onMessage: (shard: Shard, channel: Buffer, payload: Buffer) => void
  /** The shard can be used, for the first time or again. */
  onReady: (shard: Shard, isBack: boolean) => void
  onLost: (shard: Shard) => void
  /** Redis has ended a subscription, or replied to one with MOVED. */
  onEnded: (shard: Shard) => void
}

/** A failover takes less than this. */
const AWAY_MS = 5_000
/** Pause between two attempts to learn the masters. */
const LEARN_AGAIN_MS = 100

/** One connection to each master of a Redis Cluster, or a single connection without a cluster. */
export class Shards {
  readonly #options: ShardsOptions
  readonly #shards = new Map<string, Shard>()
  #topology = new Topology()
  #learning: Promise<void> | undefined
  #isClosed = false

  constructor(options: ShardsOptions) {
    this.#options = options
    if (!options.cluster) this.#add('')
  }

  /** Whether all shards are connected, apart from a master that is being replaced. */
  get connected(): boolean {
    const shards = [...this.#shards.values()]
    if (!this.#options.cluster) return shards.every(isReady)
    const before = performance.now() - AWAY_MS
    return shards.some(isReady) && shards.every(({ awaySince }) => awaySince === undefined || awaySince > before)
  }

  /** The slot that determines a channel's shard. */
  slotOf(channel: string): number {
    return this.#options.cluster ? calculateSlot(channel) : 0
  }

  /** The shard of a slot, if it is usable now. */
  readyFor(slot: number): Shard | undefined {
    const shard = this.#shards.get(this.#options.cluster ? this.#keyOf(slot) : '')
    return shard && isReady(shard) && !shard.isDoubted ? shard : undefined
  }

  #keyOf(slot: number): string {
    const place = this.#topology.ownerOf(slot)
    return place ? keyOf(place) : ''
  }

  [Symbol.iterator](): Iterator<Shard> {
    return this.#shards.values()
  }

  /** Resolves when each shard is connected or has failed once. Rejects when none is connected in time. */
  async ready(timeoutMs: number): Promise<void> {
    const until = performance.now() + timeoutMs
    while (this.#shards.size === 0) {
      await this.learn()
      if (this.#shards.size > 0) break
      if (performance.now() > until) throw new RedisUnavailable('no member of the Redis Cluster names its masters')
      await new Promise((done) => setTimeout(done, LEARN_AGAIN_MS))
    }
    const left = () => Math.max(0, until - performance.now())
    const connections = [...this.#shards.values()].map(({ connection }) => connection)
    if (!this.#options.cluster) return void (await Promise.all(connections.map((each) => whenReady(each, left()))))
    const failed = (connection: Redis) => new Promise<void>((resolve) => connection.once('close', () => resolve()))
    await Promise.all(connections.map((each) => Promise.race([whenReady(each, left()), failed(each)])))
    if (!connections.some(({ status }) => status === 'ready'))
      await Promise.any(connections.map((each) => whenReady(each, left()))).catch(({ errors }: AggregateError) => {
        throw errors[0]
      })
  }

  /**
   * Asks any member for the masters; concurrent calls share one request. Keeps the last known state when no
   * member answers.
   */
  learn(): Promise<void> {
    const { cluster } = this.#options
    if (!cluster) return Promise.resolve()
    this.#learning ??= readTopology(cluster)
      .then(
        (topology) => this.adopt(topology),
        () => {},
      )
      .finally(() => {
        this.#learning = undefined
      })
    return this.#learning
  }

  /** Asks a shard itself. Its word on its own slots is the most recent. */
  async ask(shard: Shard): Promise<Topology> {
    try {
      return await readTopology(shard.connection)
    } catch (error) {
      if (!this.#options.cluster || !isReady(shard)) throw error
      return await readTopology(this.#options.cluster)
    }
  }

  adopt(topology: Topology): void {
    this.#topology = topology
    for (const place of topology.places) this.#addAt(place)
  }

  /** Records the owner that a MOVED names. */
  move(slot: number, place: Place): void {
    this.#topology.give(slot, slot, place)
    this.#addAt(place)
  }

  /** The keys of the shards that are masters, as far as known. */
  get named(): string[] {
    return this.#topology.places.map(keyOf)
  }

  /** Closes connections to former masters, unless they are still in use. */
  prune(isUsed: (shard: Shard) => boolean): void {
    if (!this.#options.cluster) return
    const masters = new Set(this.named)
    for (const [key, shard] of this.#shards) {
      if (masters.has(key) || isUsed(shard)) continue
      this.#shards.delete(key)
      shard.connection.disconnect()
    }
  }

  close(): void {
    this.#isClosed = true
    for (const { connection } of this.#shards.values()) connection.disconnect()
  }

  #addAt(place: Place): void {
    if (!this.#shards.has(keyOf(place))) this.#add(keyOf(place), place)
  }

  #add(key: string, place?: Place): void {
    if (this.#isClosed) return
    const { open, onMessage, onReady, onLost, onEnded } = this.#options
    const connection = open(place)
    const shard: Shard = {
      key,
      connection,
      ended: 0,
      isHeeding: false,
      isDoubted: false,
      awaySince: undefined,
      cause: 'lost',
    }
    this.#shards.set(key, shard)
    connection.on('smessageBuffer', (channel: Buffer, payload: Buffer) => onMessage(shard, channel, payload))
    connection.on('ready', () => {
      const isBack = shard.awaySince !== undefined
      shard.awaySince = undefined
      onReady(shard, isBack)
    })
    connection.on('close', () => {
      // Each failed reconnect emits another close.
      if (shard.awaySince !== undefined) return
      shard.awaySince = performance.now()
      shard.ended = 0
      shard.isDoubted = Boolean(this.#options.cluster)
      onLost(shard)
    })
    // ioredis does not pass on the channel's name, although Redis sends it.
    connection.on('moved', () => {
      shard.ended++
      onEnded(shard)
    })
    // On a healthy connection an error means that ioredis has assigned a reply to the wrong command.
    connection.on('error', () => {
      if (isReady(shard)) connection.disconnect(true)
    })
  }
}

const isReady = ({ connection }: Shard): boolean => connection.status === 'ready'
