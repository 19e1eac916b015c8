import { EventEmitter } from 'node:events'
import { Absences, type Away } from './absences.ts'
import { Endings } from './endings.ts'
import { createLookout } from './lookout.ts'
import { Pauses } from './pauses.ts'
import { Refusals } from './refusals.ts'
import { type Cause, type Shard, Shards, type ShardsSource } from './shards.ts'
import { type ChannelListener, Subscription } from './subscription.ts'
import { movedTo } from './topology.ts'

interface SubscriberEvents {
  /**
   * These channels are confirmed again after an absence. Messages published in between are lost: read the
   * log.
   */
  resubscribed: [away: Away]
}

/** Channels per SSUBSCRIBE. */
const BATCH = 500
/** MOVEDs followed at once. If members disagree for longer, the subscriber retries later. */
const MOST_HOPS = 3

/**
 * Sharded subscriptions of one node. A channel may have several listeners, such as the Socket.IO adapter and
 * long polls. Each channel has one owner at a time, the shard of its slot. It leaves its owner only if that
 * shard itself ends it (its slot moved), if the connection is lost, or if the shard hangs and the other
 * members name another master. Then only the new owner is asked. Every rejection in this class is handled.
 */
export class Subscriber extends EventEmitter<SubscriberEvents> {
  readonly #shards: Shards
  readonly #subscriptions = new Map<string, Subscription>()
  /** Channels without a shard. */
  readonly #open = new Set<string>()
  readonly #absences: Absences
  readonly #refusals: Refusals
  readonly #pauses: Pauses
  /** Only in a Redis Cluster. */
  readonly #endings: Endings | undefined
  readonly #lookout: { close: () => void } | undefined
  #received = 0
  #isClosed = false

  constructor(source: ShardsSource) {
    super()
    this.setMaxListeners(0)
    this.#absences = new Absences((away) => {
      if (!this.#isClosed) this.emit('resubscribed', away)
    })
    this.#refusals = new Refusals(source.onRefused ?? (() => {}))
    this.#pauses = new Pauses(() => this.#retry())
    this.#shards = new Shards({
      ...source,
      onMessage: (shard, name, payload) => {
        this.#received++
        const subscription = this.#subscriptions.get(name.toString())
        if (subscription?.shard === shard) subscription.hear(payload)
      },
      onReady: (shard, isBack) => void this.#resume(shard, isBack),
      onLost: (shard) => this.#lose(shard),
      onEnded: (shard) => void this.#endings?.heed(shard),
    })
    if (!source.cluster) return
    this.#endings = new Endings({
      shards: this.#shards,
      subscriptions: this.#subscriptions,
      leaveAll: (...asked) => this.#leaveAll(...asked),
      leave: (...asked) => this.#leave(...asked),
      ask: (channels) => this.#ask(channels),
      tell: (channel, cause) => this.#absences.end(channel, cause),
      prune: () => this.#prune(),
    })
    this.#lookout = createLookout(this.#shards, source.cluster, {
      onDoubt: (shard) => void this.#endings?.heed(shard),
      onGone: (shard) => {
        this.#ask(this.#leaveAll(shard, 'lost'))
        this.#prune()
      },
    })
  }

  /** Earlier messages may be wrong: makes every follower read the log, as after a lost connection. */
  suspect(): void {
    this.emit('resubscribed', new Map([...this.#subscriptions.keys()].map((channel) => [channel, 'suspect'])))
  }

  get connected(): boolean {
    return this.#shards.connected
  }

  /** The error word with which Redis refuses subscriptions, such as NOPERM. */
  get refusal(): string | undefined {
    return this.#refusals.word
  }

  get size(): number {
    return this.#subscriptions.size
  }

  /** Number of messages received on all channels. */
  get received(): number {
    return this.#received
  }

  /** Resolves when channels can be held. In a Redis Cluster the other connection must be ready first. */
  ready(timeoutMs: number): Promise<void> {
    return this.#shards.ready(timeoutMs)
  }

  /**
   * Listens to a channel. Resolves once Redis has confirmed the subscription: from then on no message is
   * missed. Rejects with RedisUnavailable after 5 s without confirmation. Even then it keeps listening until
   * `release`.
   */
  async hold(channel: string, listener: ChannelListener): Promise<void> {
    const subscription = this.#subscriptions.get(channel)
    if (subscription) {
      subscription.add(listener)
    } else {
      this.#subscriptions.set(channel, new Subscription(listener))
      this.#ask([channel])
    }
    await this.confirmed(channel)
  }

  /** Resolves when a held channel is confirmed. */
  async confirmed(channel: string): Promise<void> {
    const subscription = this.#subscriptions.get(channel)
    if (!subscription) throw new TypeError(`the channel ${channel} is not held`)
    await subscription.confirmed(channel, () => {
      // A caller that keeps holding it gets `resubscribed` when it is confirmed.
      if (this.#subscriptions.get(channel) === subscription) this.#absences.begin(channel, 'late')
    })
  }

  /** Whether Redis has confirmed the channel and the subscription still stands. */
  hears(channel: string): boolean {
    return this.#subscriptions.get(channel)?.isConfirmed ?? false
  }

  /** Removes a listener once. Removing the last listener ends the subscription. */
  release(channel: string, listener: ChannelListener): void {
    const subscription = this.#subscriptions.get(channel)
    if (!subscription?.remove(listener)) return
    this.#subscriptions.delete(channel)
    this.#open.delete(channel)
    this.#absences.forget(channel)
    // A failure is harmless: a new connection subscribes only to held channels, and a slot that moves away
    // ends its subscriptions.
    subscription.shard?.connection.sunsubscribe(channel).catch(() => {})
  }

  /** Replaces connections: those of these channels, or all. The new ones subscribe to the same channels. */
  reconnect(channels: Iterable<string> = this.#subscriptions.keys()): void {
    for (const shard of new Set([...channels].map((channel) => this.#subscriptions.get(channel)?.shard))) {
      if (!shard) continue
      shard.cause = 'probe'
      shard.connection.disconnect(true)
    }
  }

  close(): void {
    this.#isClosed = true
    this.#pauses.close()
    this.#endings?.close()
    this.#lookout?.close()
    this.#shards.close()
  }

  /**
   * Subscribes to channels without a shard, at the shard of their slot. If that shard is not usable, they
   * wait.
   */
  #ask(channels: Iterable<string>, hops = 0): void {
    const bySlot = new Map<number, string[]>()
    for (const channel of channels) {
      const slot = this.#shards.slotOf(channel)
      const group = bySlot.get(slot)
      if (group) group.push(channel)
      else bySlot.set(slot, [channel])
    }
    for (const [slot, group] of bySlot) {
      const shard = this.#shards.readyFor(slot)
      if (shard)
        for (let i = 0; i < group.length; i += BATCH) void this.#subscribe(shard, group.slice(i, i + BATCH), hops)
      else this.#wait(group)
    }
  }

  #askAll(): void {
    const open = [...this.#open]
    this.#open.clear()
    this.#ask(open)
  }

  async #subscribe(shard: Shard, channels: string[], hops: number): Promise<void> {
    // A channel that was released and held again meanwhile is another subscription with its own confirmation.
    const asked = channels.map((channel) => this.#subscriptions.get(channel))
    for (const subscription of asked) if (subscription) subscription.shard = shard
    try {
      await shard.connection.ssubscribe(...channels)
      for (const [i, channel] of channels.entries()) this.#confirm(channel, asked[i], shard)
    } catch (error) {
      const isStill = (channel: string, i: number) =>
        this.#subscriptions.get(channel)?.shard === shard && this.#subscriptions.get(channel) === asked[i]
      this.#refuse(shard, channels.filter(isStill), hops, error)
    }
  }

  #refuse(shard: Shard, channels: string[], hops: number, error: unknown): void {
    const moved = movedTo(error, shard.connection)
    // Without a reply the subscription may still be made. It keeps its shard, so that a release can end it
    // there.
    if (error instanceof Error && error.name === 'ReplyError') {
      for (const channel of channels) this.#leave(channel)
      if (!moved) this.#refusals.note(error)
    }
    // ioredis reports this MOVED as an ended subscription, too.
    if (moved && shard.ended > 0) shard.ended--
    if (moved) this.#shards.move(moved.slot, moved.place)
    if (moved && hops < MOST_HOPS) this.#ask(channels, hops + 1)
    else this.#wait(channels)
  }

  #confirm(channel: string, subscription: Subscription | undefined, shard: Shard): void {
    if (subscription?.shard !== shard) return
    subscription.confirm()
    this.#refusals.end()
    const cause = this.#absences.causeOf(channel)
    if (cause && this.#subscriptions.get(channel) === subscription) this.#absences.end(channel, cause)
  }

  /** Removes a channel from its shard. `cause` is given if the channel was heard until now. */
  #leave(channel: string, cause?: Cause): void {
    const subscription = this.#subscriptions.get(channel)
    if (!subscription) return
    subscription.leave()
    if (cause) this.#absences.begin(channel, cause)
  }

  #wait(channels: string[]): void {
    for (const channel of channels) if (this.#subscriptions.has(channel)) this.#open.add(channel)
    if (this.#open.size > 0) this.#pauses.begin()
  }

  async #retry(): Promise<void> {
    // The master may have been replaced.
    await this.#shards.learn()
    this.#pauses.end()
    if (this.#isClosed) return
    this.#askAll()
    this.#prune()
  }

  async #resume(shard: Shard, isBack: boolean): Promise<void> {
    const { cause } = shard
    shard.cause = 'lost'
    if (isBack) {
      // The shard may have lost its slots meanwhile; as a replica it would still confirm subscriptions. A
      // shard whose connection was deaf is not trusted: ask the others.
      if (cause === 'probe') await this.#shards.learn()
      else
        await this.#shards.ask(shard).then(
          (topology) => this.#shards.adopt(topology),
          () => {},
        )
      shard.isDoubted = false
    }
    this.#askAll()
  }

  #lose(shard: Shard): void {
    this.#wait(this.#leaveAll(shard, shard.cause))
  }

  /** Removes the channels of a shard for which `isGone` is true. Returns them. */
  #leaveAll(
    shard: Shard,
    cause: Cause,
    isGone: (channel: string, isConfirmed: boolean) => boolean = () => true,
  ): string[] {
    const left: string[] = []
    for (const [channel, subscription] of this.#subscriptions) {
      const isConfirmed = subscription.isConfirmed
      if (subscription.shard !== shard || !isGone(channel, isConfirmed)) continue
      this.#leave(channel, isConfirmed ? cause : undefined)
      left.push(channel)
    }
    return left
  }

  #prune(): void {
    this.#shards.prune((shard) =>
      [...this.#subscriptions.values()].some((subscription) => subscription.shard === shard),
    )
  }
}
