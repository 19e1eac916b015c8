import { RedisUnavailable } from './replies.ts'
import type { Shard } from './shards.ts'

/** Whoever hears the messages of a channel. It may not throw. */
export interface ChannelListener {
  hear(payload: Buffer): void
}

/** How long a subscription may stay unconfirmed before whoever waits for it is told that Redis is away. */
const CONFIRM_TIMEOUT_MS = 5_000
/** The one empty array that all of them share. Never added to. */
const NOBODY: (() => void)[] = []

/** One channel that somebody on this node listens to. */
export class Subscription {
  /** Whom it was asked of, and the only one that is listened to. Undefined while it is of nobody. */
  shard: Shard | undefined = undefined
  /** Most channels have one listener, and an array for each would be memory for each browser. */
  #listeners: ChannelListener | ChannelListener[]
  /** Those who wait for the confirmation; undefined once Redis has confirmed it. */
  #waiting: (() => void)[] | undefined = NOBODY

  constructor(listener: ChannelListener) {
    this.#listeners = listener
  }

  get isConfirmed(): boolean {
    return this.#waiting === undefined
  }

  add(listener: ChannelListener): void {
    this.#listeners = [...[this.#listeners].flat(), listener]
  }

  /** Takes a listener away, once if it is there more than once. Returns whether there is nobody left. */
  remove(listener: ChannelListener): boolean {
    if (!Array.isArray(this.#listeners)) return this.#listeners === listener
    const at = this.#listeners.indexOf(listener)
    // A new array, because the old one may be being told of a message.
    if (at >= 0) this.#listeners = this.#listeners.toSpliced(at, 1)
    return [this.#listeners].flat().length === 0
  }

  /** Tells those who listened when it came, in the order in which they came. */
  hear(payload: Buffer): void {
    const listeners = this.#listeners
    if (Array.isArray(listeners)) for (const listener of listeners) listener.hear(payload)
    else listeners.hear(payload)
  }

  /** Redis has confirmed it. */
  confirm(): void {
    const waiting = this.#waiting ?? NOBODY
    this.#waiting = undefined
    for (const wake of waiting) wake()
  }

  /** It is of no shard any more. */
  leave(): void {
    this.shard = undefined
    this.#waiting ??= NOBODY
  }

  /** Resolves when it is confirmed. Rejects with RedisUnavailable after 5 s, and says so before. */
  confirmed(channel: string, onLate: () => void): Promise<void> {
    if (!this.#waiting) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        // It may stay unconfirmed for hours, and be asked for again and again.
        const at = this.#waiting?.indexOf(wake) ?? -1
        if (at >= 0) this.#waiting?.splice(at, 1)
        onLate()
        reject(new RedisUnavailable(`no confirmation of ${channel}`))
      }, CONFIRM_TIMEOUT_MS).unref()
      const wake = () => {
        clearTimeout(timer)
        resolve()
      }
      if (this.#waiting === NOBODY) this.#waiting = [wake]
      else this.#waiting?.push(wake)
    })
  }
}
