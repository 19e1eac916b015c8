import { EventEmitter } from 'node:events'
import { Cluster } from 'ioredis'
import { type Connection, RedisUnavailable, reconnectDelayMs } from './connection.ts'

interface Subscription {
  holders: number
  /** Whether Redis has confirmed it on the present connection. */
  live: boolean
  /** Those who wait for the confirmation; an array that is empty most of the time would be memory for each waiting browser. */
  waiting?: (() => void)[] | undefined
}

interface SubscriberEvents {
  /** One message of a sharded channel. */
  message: [channel: string, payload: Buffer]
  /** Channels are confirmed again after the connection was away: what was published in between is lost, so read the truth. */
  resubscribed: []
}

/** How long a subscription may stay unconfirmed before whoever waits for it is told that Redis is away. */
const CONFIRM_TIMEOUT_MS = 5_000
/** Channels per SSUBSCRIBE after a reconnect. */
const BATCH = 500

/**
 * Sharded subscriptions of one node, over one connection, counted by holder: the Socket.IO adapter and the long polls may hold
 * the same channel. Nothing in here rejects unobserved; a lost connection is made good by subscribing again.
 */
export class Subscriber extends EventEmitter<SubscriberEvents> {
  readonly #connection: Connection
  readonly #subscriptions = new Map<string, Subscription>()
  #everReady: boolean
  /** Rounds of asking again since Redis last refused nothing. */
  #refusals = 0
  #retryTimer: NodeJS.Timeout | undefined

  /** @param connection  opened with `subscribes` */
  constructor(connection: Connection) {
    if (connection instanceof Cluster && !connection.options.shardedSubscribers)
      throw new TypeError('a connection to a Redis Cluster that was opened without `subscribes` follows no channel')
    super()
    this.setMaxListeners(0)
    this.#connection = connection
    this.#everReady = connection.status === 'ready'
    connection.on('smessageBuffer', (channel: Buffer, payload: Buffer) =>
      this.emit('message', channel.toString(), payload),
    )
    connection.on('close', () => this.#forgetConfirmations())
    connection.on('ready', () => void this.#resubscribe())
    // A shard's own subscriber connection is replaced inside ioredis, which tells of it with this event only.
    connection.on('subscribersReady', () => void this.#resubscribe())
  }

  /** Whatever was heard may be worth nothing: has everybody read the truth, as after a lost connection. */
  suspect(): void {
    this.emit('resubscribed')
  }

  get connected(): boolean {
    return this.#connection.status === 'ready'
  }

  get size(): number {
    return this.#subscriptions.size
  }

  /**
   * Takes hold of a channel. Resolves once Redis has confirmed the subscription: from then on no message is missed.
   * Rejects with RedisUnavailable after 5 s without confirmation; the hold remains until `release`.
   */
  async hold(channel: string): Promise<void> {
    const subscription = this.#subscriptions.get(channel)
    if (subscription) {
      subscription.holders++
    } else {
      this.#subscriptions.set(channel, { holders: 1, live: false, waiting: undefined })
      void this.#subscribe([channel])
    }
    await this.confirmed(channel)
  }

  /** Resolves when a channel that somebody holds is confirmed. */
  confirmed(channel: string): Promise<void> {
    const subscription = this.#subscriptions.get(channel)
    if (subscription?.live) return Promise.resolve()
    if (!subscription) return Promise.reject(new TypeError(`nobody holds the channel ${channel}`))
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new RedisUnavailable(`no confirmation of ${channel}`)),
        CONFIRM_TIMEOUT_MS,
      ).unref()
      subscription.waiting ??= []
      subscription.waiting.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  /** Lets go of a channel; the last holder ends the subscription. */
  release(channel: string): void {
    const subscription = this.#subscriptions.get(channel)
    if (!subscription || --subscription.holders > 0) return
    this.#subscriptions.delete(channel)
    void this.#unsubscribe(channel)
  }

  /** Gives the connection up for a new one, on which everything held is subscribed to again. */
  reconnect(): void {
    this.#connection.disconnect(true)
  }

  close(): void {
    this.#connection.disconnect()
  }

  #forgetConfirmations(): void {
    for (const subscription of this.#subscriptions.values()) subscription.live = false
  }

  async #resubscribe(): Promise<void> {
    this.#forgetConfirmations()
    clearTimeout(this.#retryTimer)
    this.#retryTimer = undefined
    const channels = [...this.#subscriptions.keys()]
    let confirmed = 0
    for (let i = 0; i < channels.length; i += BATCH) confirmed += await this.#subscribe(channels.slice(i, i + BATCH))
    if (this.#everReady && (confirmed > 0 || channels.length === 0)) this.emit('resubscribed')
    this.#everReady = true
  }

  /** Resolves with the number of channels that Redis has confirmed. */
  async #subscribe(channels: string[]): Promise<number> {
    // In a Redis Cluster one command may name channels of one slot only.
    const commands = this.#connection instanceof Cluster ? channels.map((channel) => [channel]) : [channels]
    const counts = await Promise.all(
      commands.map(async (group) => {
        // A channel let go and held again meanwhile is another subscription, with a confirmation of its own to come.
        const asked = group.map((channel) => this.#subscriptions.get(channel))
        try {
          await this.#connection.ssubscribe(...group)
        } catch {
          return 0
        }
        for (const subscription of asked) if (subscription) this.#confirm(subscription)
        return group.length
      }),
    )
    const confirmed = counts.reduce((sum, count) => sum + count, 0)
    if (confirmed < channels.length) this.#retry()
    else this.#refusals = 0
    return confirmed
  }

  /** For refusals on a connection that lives on; a lost connection comes back with `ready`, which asks again for all. */
  #retry(): void {
    const again = async () => {
      this.#retryTimer = undefined
      if (!this.connected) return
      const open = [...this.#subscriptions].filter(([, { live }]) => !live).map(([channel]) => channel)
      if (open.length > 0 && (await this.#subscribe(open)) > 0) this.emit('resubscribed')
    }
    this.#retryTimer ??= setTimeout(() => void again(), reconnectDelayMs(++this.#refusals)).unref()
  }

  async #unsubscribe(channel: string): Promise<void> {
    try {
      await this.#connection.sunsubscribe(channel)
    } catch {
      // Harmless: a new connection subscribes only to what is still held.
    }
  }

  #confirm(subscription: Subscription): void {
    subscription.live = true
    const { waiting = [] } = subscription
    subscription.waiting = undefined
    for (const wake of waiting) wake()
  }
}
