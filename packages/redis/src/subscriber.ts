import { EventEmitter } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { RedisUnavailable, reconnectDelayMs } from './connection.ts'
import { createLookout } from './lookout.ts'
import { isPassing, wordOf } from './replies.ts'
import { type Cause, type Shard, Shards, type ShardsSource } from './shards.ts'
import { keyOf, movedTo, type Topology } from './topology.ts'

interface Subscription {
  holders: number
  /** Whom it was asked of, and the only one that is listened to. Undefined while it is of nobody. */
  shard: Shard | undefined
  /**
   * Those who wait for the confirmation; undefined once Redis has confirmed it. An array for each would be
   * memory for each browser.
   */
  waiting: (() => void)[] | undefined
}

/** The channels that were away, each with the reason. */
export type Away = ReadonlyMap<string, Cause>

interface SubscriberEvents {
  /** One message of a sharded channel. */
  message: [channel: string, payload: Buffer]
  /**
   * These channels are confirmed again after they were away: what was published on them in between is lost,
   * so read the truth.
   */
  resubscribed: [away: Away]
}

/** How long a subscription may stay unconfirmed before whoever waits for it is told that Redis is away. */
const CONFIRM_TIMEOUT_MS = 5_000
/** Channels per SSUBSCRIBE. */
const BATCH = 500
/** MOVEDs that are followed at once. Where members disagree for longer, they are given time. */
const MOST_HOPS = 3
/**
 * The longest pause before what has no shard is tried again: a failover is to be over for us soon after it is
 * over.
 */
const LONGEST_PAUSE_MS = 1_000
/** Pauses begin short again when there was none for that long. */
const CALM_MS = 5_000
/** Between two looks at what a shard has ended, while it goes on ending. */
const HEED_AGAIN_MS = 100
/**
 * How often a shard is asked whether it still has what we think, in case it has said otherwise and was not
 * heard.
 */
const AUDIT_MS = 5_000
/** A refusal of subscriptions is told once in this time, however many there are. */
const REFUSAL_QUIET_MS = 10_000
/** The one empty array that all of them share. Never added to. */
const NOBODY: (() => void)[] = []

/**
 * Sharded subscriptions of one node, counted by holder: the Socket.IO adapter and the long polls may hold the
 * same channel. Each has one owner at a time, the shard of its slot. It leaves it when that shard itself says
 * so (Redis ends a subscription whose slot goes), when the connection is lost, or when it stands still and
 * the others have another master; and by nobody else's word; then it is asked of the new owner, and only it.
 * Nothing in here rejects unobserved.
 */
export class Subscriber extends EventEmitter<SubscriberEvents> {
  readonly #shards: Shards
  readonly #onRefused: (error: Error) => void
  readonly #subscriptions = new Map<string, Subscription>()
  /** Those that are asked of nobody. */
  readonly #open = new Set<string>()
  /** Those that were heard, or should have been, and are not at this moment. */
  readonly #away = new Map<string, Cause>()
  #back = new Map<string, Cause>()
  #pauses = 0
  #lastPauseAt = 0
  /** The word with which Redis refused the last subscription; undefined since it confirmed one. */
  #refusal: string | undefined
  #toldRefusalAt = Number.NEGATIVE_INFINITY
  #retryTimer: NodeJS.Timeout | undefined
  readonly #auditTimer: NodeJS.Timeout | undefined
  readonly #lookout: { close: () => void } | undefined
  #isClosed = false

  constructor(source: ShardsSource) {
    super()
    this.#onRefused = source.onRefused ?? (() => {})
    this.setMaxListeners(0)
    this.#shards = new Shards({
      ...source,
      onMessage: (shard, name, payload) => {
        const channel = name.toString()
        if (this.#subscriptions.get(channel)?.shard === shard) this.emit('message', channel, payload)
      },
      onReady: (shard, isBack) => void this.#resume(shard, isBack),
      onLost: (shard) => this.#lose(shard),
      onEnded: (shard) => void this.#heed(shard),
    })
    if (!source.cluster) return
    this.#lookout = createLookout(this.#shards, source.cluster, {
      onDoubt: (shard) => void this.#heed(shard),
      onGone: (shard) => {
        this.#ask(this.#leaveAll(shard, 'lost'))
        this.#prune()
      },
    })
    this.#auditTimer = setInterval(() => void this.#audit(), AUDIT_MS).unref()
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
    return this.#refusal
  }

  get size(): number {
    return this.#subscriptions.size
  }

  /** Resolves when channels can be held. In a Redis Cluster its other connection must be ready before. */
  ready(timeoutMs: number): Promise<void> {
    return this.#shards.ready(timeoutMs)
  }

  /**
   * Takes hold of a channel. Resolves once Redis has confirmed the subscription: from then on no message is
   * missed. Rejects with RedisUnavailable after 5 s without confirmation; the hold remains until `release`.
   */
  async hold(channel: string): Promise<void> {
    const subscription = this.#subscriptions.get(channel)
    if (subscription) {
      subscription.holders++
    } else {
      this.#subscriptions.set(channel, { holders: 1, shard: undefined, waiting: NOBODY })
      this.#ask([channel])
    }
    await this.confirmed(channel)
  }

  /** Resolves when a channel that somebody holds is confirmed. */
  confirmed(channel: string): Promise<void> {
    const subscription = this.#subscriptions.get(channel)
    if (!subscription) return Promise.reject(new TypeError(`nobody holds the channel ${channel}`))
    if (!subscription.waiting) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        // It may stay unconfirmed for hours, and be asked for again and again.
        const at = subscription.waiting?.indexOf(wake) ?? -1
        if (at >= 0) subscription.waiting?.splice(at, 1)
        // Whoever goes on holding it is told when it is there.
        if (this.#subscriptions.get(channel) === subscription && !this.#away.has(channel))
          this.#away.set(channel, 'late')
        reject(new RedisUnavailable(`no confirmation of ${channel}`))
      }, CONFIRM_TIMEOUT_MS).unref()
      const wake = () => {
        clearTimeout(timer)
        resolve()
      }
      if (subscription.waiting === NOBODY) subscription.waiting = [wake]
      else subscription.waiting?.push(wake)
    })
  }

  /** Whether Redis has confirmed a channel and has said nothing else since. */
  hears(channel: string): boolean {
    const subscription = this.#subscriptions.get(channel)
    return subscription !== undefined && subscription.waiting === undefined
  }

  /** Lets go of a channel; the last holder ends the subscription. */
  release(channel: string): void {
    const subscription = this.#subscriptions.get(channel)
    if (!subscription || --subscription.holders > 0) return
    this.#subscriptions.delete(channel)
    this.#open.delete(channel)
    this.#away.delete(channel)
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
    clearTimeout(this.#retryTimer)
    clearInterval(this.#auditTimer)
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
      if (!moved) this.#note(error)
    }
    // ioredis tells of it as of a subscription that was ended.
    if (moved && shard.ended > 0) shard.ended--
    if (moved) this.#shards.move(moved.slot, moved.place)
    if (moved && hops < MOST_HOPS) this.#ask(channels, hops + 1)
    else this.#wait(channels)
  }

  #note(error: Error): void {
    this.#refusal = wordOf(error)
    const now = performance.now()
    if (isPassing(error.message) || now - this.#toldRefusalAt < REFUSAL_QUIET_MS) return
    this.#toldRefusalAt = now
    this.#onRefused(new Error(`Redis refuses subscriptions: ${error.message}`, { cause: error }))
  }

  #confirm(channel: string, subscription: Subscription | undefined, shard: Shard): void {
    if (subscription?.shard !== shard) return
    const { waiting = NOBODY } = subscription
    subscription.waiting = undefined
    this.#refusal = undefined
    for (const wake of waiting) wake()
    const cause = this.#away.get(channel)
    if (cause && this.#subscriptions.get(channel) === subscription) this.#tell(channel, cause)
  }

  /** All that come back in one turn are told of together. */
  #tell(channel: string, cause: Cause): void {
    this.#away.delete(channel)
    if (this.#back.set(channel, cause).size > 1) return
    setImmediate(() => {
      const back = this.#back
      this.#back = new Map()
      if (!this.#isClosed) this.emit('resubscribed', back)
    })
  }

  /** Takes a channel from its shard. With a cause, it was heard until now. */
  #leave(channel: string, cause?: Cause): void {
    const subscription = this.#subscriptions.get(channel)
    if (!subscription) return
    subscription.shard = undefined
    subscription.waiting ??= NOBODY
    if (cause && !this.#away.has(channel)) this.#away.set(channel, cause)
  }

  #wait(channels: string[]): void {
    for (const channel of channels) if (this.#subscriptions.has(channel)) this.#open.add(channel)
    if (this.#open.size === 0 || this.#retryTimer || this.#isClosed) return
    const now = performance.now()
    if (now - this.#lastPauseAt > CALM_MS) this.#pauses = 0
    const pauseMs = Math.min(reconnectDelayMs(++this.#pauses), LONGEST_PAUSE_MS)
    this.#lastPauseAt = now + pauseMs
    this.#retryTimer = setTimeout(async () => {
      // Their master may have been replaced.
      await this.#shards.learn()
      this.#retryTimer = undefined
      if (this.#isClosed) return
      this.#askAll()
      this.#prune()
    }, pauseMs).unref()
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
  #leaveAll(shard: Shard, cause: Cause, isGone: (channel: string, isLive: boolean) => boolean = () => true): string[] {
    const left: string[] = []
    for (const [channel, subscription] of this.#subscriptions) {
      const isLive = subscription.waiting === undefined
      if (subscription.shard !== shard || !isGone(channel, isLive)) continue
      this.#leave(channel, isLive ? cause : undefined)
      left.push(channel)
    }
    return left
  }

  /** Finds out which subscriptions a shard has ended, and asks their slots' new owners for them. */
  async #heed(shard: Shard): Promise<void> {
    if (shard.isHeeding) return
    shard.isHeeding = true
    try {
      let isUnexplained = false
      for (let isFirst = true; isFirst || shard.ended > 0; isFirst = false) {
        if (!isFirst) await delay(HEED_AGAIN_MS * (0.5 + Math.random()), undefined, { ref: false })
        const topology = await this.#shards.ask(shard)
        if (this.#isClosed) return
        const cause = shard.ended > 0 ? 'pushed' : 'probe'
        const gone = this.#goneFrom(shard, topology, cause)
        this.#shards.adopt(topology)
        const isStill = isUnexplained
        isUnexplained = gone.length === 0 && shard.ended > 0
        // A slot that came back before we asked shows nowhere, but its subscriptions were ended like the
        // others.
        if (isUnexplained && isStill) await this.#repeat(shard, cause)
        else shard.ended = Math.max(0, shard.ended - gone.length)
        this.#ask(gone)
        this.#prune()
      }
    } catch {
      // Its connection is lost, which is another way to the same end and takes `ended` back, or nobody
      // answers: soon again.
      if (shard.ended > 0 && !this.#isClosed) setTimeout(() => void this.#heed(shard), HEED_AGAIN_MS).unref()
    } finally {
      shard.isHeeding = false
    }
  }

  #goneFrom(shard: Shard, topology: Topology, cause: Cause): string[] {
    const isGone = (channel: string, isLive: boolean) => {
      // What is not confirmed yet is going to get an answer of its own.
      if (!isLive) return false
      const owner = topology.ownerOf(this.#shards.slotOf(channel))
      return !owner || keyOf(owner) !== shard.key
    }
    return this.#leaveAll(shard, cause, isGone)
  }

  /** Subscribes again to all that a shard has: what the repetition adds to Redis's count was away. */
  async #repeat(shard: Shard, cause: Cause): Promise<void> {
    shard.ended = 0
    const bySlot = Map.groupBy(
      [...this.#subscriptions].filter(([, { shard: its, waiting }]) => its === shard && !waiting),
      ([channel]) => this.#shards.slotOf(channel),
    )
    const groups = [...bySlot.values()]
    let before = Number.POSITIVE_INFINITY
    const counts = await Promise.all(
      groups.map((group) =>
        shard.connection.ssubscribe(...group.map(([channel]) => channel)).catch((error) => {
          if (movedTo(error, shard.connection) && shard.ended > 0) shard.ended--
        }),
      ),
    )
    for (const [i, group] of groups.entries()) {
      const count = counts[i] as number | undefined
      // There is nothing to compare the first with; and what has ended meanwhile makes the count worth
      // nothing.
      const isKnown = i > 0 && shard.ended === 0 && count !== undefined && count <= before
      if (count !== undefined) before = count
      if (isKnown) continue
      for (const [channel, subscription] of group) {
        if (subscription.shard !== shard || this.#subscriptions.get(channel) !== subscription) continue
        if (count !== undefined) this.#tell(channel, cause)
        else {
          this.#leave(channel, cause)
          this.#ask([channel])
        }
      }
    }
  }

  async #audit(): Promise<void> {
    // One that stands still lets nobody else wait.
    await Promise.all([...this.#shards].map((shard) => this.#heed(shard)))
  }

  #prune(): void {
    this.#shards.prune((shard) =>
      [...this.#subscriptions.values()].some((subscription) => subscription.shard === shard),
    )
  }
}
