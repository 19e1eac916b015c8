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
 * Why a channel is to be read anew: Redis ended its subscription, the connection was lost, it was deaf, it
 * was late from the beginning, or it was there all the time and what it brought is in doubt.
 */
export type Cause = 'pushed' | 'lost' | 'probe' | 'late' | 'suspect'

/** The connection to one master, for subscriptions and for what they need to know. */
export interface Shard {
  readonly key: string
  readonly connection: Redis
  /** Subscriptions that Redis has ended on it and that are not accounted for yet. */
  ended: number
  /** Whether that is being looked into. */
  isHeeding: boolean
  /** It came back, and may not be the master any more: nothing is asked of it until that is known. */
  isDoubted: boolean
  /** Since when it is away; undefined while it is there, and before it was there for the first time. */
  awaySince: number | undefined
  /** What the end of the connection will have been. */
  cause: Cause
}

/** Where the connections come from. */
export interface ShardsSource {
  /** Opens a connection to a master of a Redis Cluster; without a place, to what the URL names. */
  open: (place?: Place) => Redis
  /** Knows the masters of a Redis Cluster. Outside of one there is one shard, which has all channels. */
  cluster?: Cluster
  /**
   * Told, now and then, that Redis refuses what is subscribed to, for a reason that does not pass by itself.
   */
  onRefused?: (error: Error) => void
}

/**
 * @param options  for connections to subscribe on
 * @param commands  a connection to the same Redis, for commands
 * @param onOpen  told of each connection as it is made
 */
export const shardsOf = (
  options: ConnectionOptions,
  commands: Connection,
  onOpen: (connection: Redis) => void = () => {},
): ShardsSource => ({
  open: (place) => {
    const opened = place ? connectServer(options, place) : connect(options)
    if (opened instanceof Cluster) throw new TypeError('the subscriptions of a Redis Cluster need to know its masters')
    onOpen(opened)
    return opened
  },
  ...(commands instanceof Cluster ? { cluster: commands } : {}),
  onRefused: options.onError,
})

interface ShardsOptions extends ShardsSource {
  onMessage: (shard: Shard, channel: Buffer, payload: Buffer) => void
  /** It can be used, for the first time or again. */
  onReady: (shard: Shard, isBack: boolean) => void
  onLost: (shard: Shard) => void
  /** Redis has ended a subscription, or answered one with MOVED. */
  onEnded: (shard: Shard) => void
}

/** A master that is away for longer has not merely been replaced. */
const AWAY_MS = 5_000
/** Between two attempts to learn which masters there are. */
const LEARN_AGAIN_MS = 100

/** One connection to each master of a Redis Cluster, or one in all elsewhere. */
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

  /** Whether all can be heard, but for a master that is being replaced. */
  get connected(): boolean {
    const shards = [...this.#shards.values()]
    if (!this.#options.cluster) return shards.every(isReady)
    const before = performance.now() - AWAY_MS
    return shards.some(isReady) && shards.every(({ awaySince }) => awaySince === undefined || awaySince > before)
  }

  /** The slot by which a channel finds its shard. */
  slotOf(channel: string): number {
    return this.#options.cluster ? calculateSlot(channel) : 0
  }

  /** The shard of a slot if it can be used now. */
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

  /** Resolves when each is there or has failed once; rejects when none is there in time. */
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
   * Learns from any member which masters there are, at most once at a time. Keeps what it knows when none can
   * be asked.
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

  /** Learns from a shard itself, whose word on its own slots is the latest there is. */
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

  /** Takes note of what a MOVED has said. */
  move(slot: number, place: Place): void {
    this.#topology.give(slot, slot, place)
    this.#addAt(place)
  }

  /** The keys of those that are masters, as it was heard last. */
  get named(): string[] {
    return this.#topology.places.map(keyOf)
  }

  /** Ends the connections to those that are masters no more, unless they are still in use. */
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
      // Every attempt to come back closes once more.
      if (shard.awaySince !== undefined) return
      shard.awaySince = performance.now()
      shard.ended = 0
      shard.isDoubted = Boolean(this.#options.cluster)
      onLost(shard)
    })
    // ioredis says it without the channel's name, of which Redis does tell.
    connection.on('moved', () => {
      shard.ended++
      onEnded(shard)
    })
    // On a connection that is well, an error is that ioredis takes one command's answer for another's.
    connection.on('error', () => {
      if (isReady(shard)) connection.disconnect(true)
    })
  }
}

const isReady = ({ connection }: Shard): boolean => connection.status === 'ready'
