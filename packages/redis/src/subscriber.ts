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
   * These channels are confirmed again after they were away: what was published on them in between is lost,
   * so read the truth.
   */
  resubscribed: [away: Away]
}

/** Channels per SSUBSCRIBE. */
const BATCH = 500
/** MOVEDs that are followed at once. Where members disagree for longer, they are given time. */
const MOST_HOPS = 3

/**
 * Sharded subscriptions of one node. A channel may have several listeners: the Socket.IO adapter and long
 * polls may hold the same one. Each has one owner at a time, the shard of its slot. It leaves it when that
 * shard itself says so (Redis ends a subscription whose slot goes), when the connection is lost, or when it
 * stands still and the others have another master; and by nobody else's word. Then it is asked of the new
 * owner, and only it. Nothing in here rejects unobserved.
 */
export class Subscriber extends EventEmitter<SubscriberEvents> {
  readonly #shards: Shards
  readonly #subscriptions = new Map<string, Subscription>()
  /** Those that are asked of nobody. */
  readonly #open = new Set<string>()
  readonly #absences: Absences
  readonly #refusals: Refusals
  readonly #pauses: Pauses
  /** In a Redis Cluster. */
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

  /** Whatever was heard may be worth nothing: has everybody read the truth, as after a lost connection. */
  suspect(): void {
    this.emit('resubscribed', new Map([...this.#subscriptions.keys()].map((channel) => [channel, 'suspect'])))
  }

  get connected(): boolean {
    return this.#shards.connected
  }

  /** The word with which Redis refuses what is subscribed to, such as NOPERM. */
  get refusal(): string | undefined {
    return this.#refusals.word
  }

  get size(): number {
    return this.#subscriptions.size
  }

  /** How many messages have come, of whatever channel. */
  get received(): number {
    return this.#received
  }

  /** Resolves when channels can be held. In a Redis Cluster its other connection must be ready before. */
  ready(timeoutMs: number): Promise<void> {
    return this.#shards.ready(timeoutMs)
  }

  /**
   * Listens to a channel. Resolves once Redis has confirmed the subscription: from then on no message is
   * missed. Rejects with RedisUnavailable after 5 s without confirmation; also then it listens until
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

  /** Resolves when a channel that somebody holds is confirmed. */
  async confirmed(channel: string): Promise<void> {
    const subscription = this.#subscriptions.get(channel)
    if (!subscription) throw new TypeError(`nobody holds the channel ${channel}`)
    await subscription.confirmed(channel, () => {
      // Whoever goes on holding it is told when it is there.
      if (this.#subscriptions.get(channel) === subscription) this.#absences.begin(channel, 'late')
    })
  }

  /** Whether Redis has confirmed a channel and has said nothing else since. */
  hears(channel: string): boolean {
    return this.#subscriptions.get(channel)?.isConfirmed ?? false
  }

  /** Listens no more, once; the last listener of a channel ends the subscription. */
  release(channel: string, listener: ChannelListener): void {
    const subscription = this.#subscriptions.get(channel)
    if (!subscription?.remove(listener)) return
    this.#subscriptions.delete(channel)
    this.#open.delete(channel)
    this.#absences.forget(channel)
    // Harmless when it fails: a new connection subscribes only to what is held, and a slot that goes takes
    // its subscriptions with it.
    subscription.shard?.connection.sunsubscribe(channel).catch(() => {})
  }

  /**
   * Gives connections up for new ones, on which what they had is subscribed to again: those of these
   * channels, or all.
   */
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
   * Asks for channels that are of nobody: each of the shard of its slot, and if there is none to be asked, of
   * one that comes.
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
    // A channel let go and held again meanwhile is another subscription, with a confirmation of its own to
    // come.
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
    // Without an answer it may be subscribed yet, so that a release must end it there.
    if (error instanceof Error && error.name === 'ReplyError') {
      for (const channel of channels) this.#leave(channel)
      if (!moved) this.#refusals.note(error)
    }
    // ioredis tells of it as of a subscription that was ended.
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

  /** Takes a channel from its shard. With a cause, it was heard until now. */
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
    // Their master may have been replaced.
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
      // It may have lost its slots meanwhile; as somebody's replica it would even confirm. But one that was
      // deaf is not believed.
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

  /** Takes channels from their shard: all it has, or those it has no more. Returns those. */
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
