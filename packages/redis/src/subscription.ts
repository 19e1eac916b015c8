import { Listeners } from './listeners.ts'
import { awaitOver } from './overdue.ts'
import { RedisUnavailable } from './replies.ts'
import type { Shard } from './shards.ts'

/** Gets the messages of a channel. It must not throw. */
export interface ChannelListener {
  hear(payload: Buffer): void
}

/** How long a subscription may stay unconfirmed before its callers get RedisUnavailable. */
const CONFIRM_TIMEOUT_MS = 5_000
/** One empty array, shared by all subscriptions to save memory. Never modified. */
const NOBODY: (() => void)[] = []

/** One channel with at least one listener on this node. */
export class Subscription extends Listeners<ChannelListener> {
  /** The shard that was asked; messages from other shards are ignored. Undefined while no shard is asked. */
  shard: Shard | undefined = undefined
  /** Callers that wait for the confirmation; undefined once Redis has confirmed. */
  #waiting: (() => void)[] | undefined = NOBODY

  get isConfirmed(): boolean {
    return this.#waiting === undefined
  }

  hear(payload: Buffer): void {
    this.each((listener) => listener.hear(payload))
  }

  /** Redis has confirmed the subscription. */
  confirm(): void {
    const waiting = this.#waiting ?? NOBODY
    this.#waiting = undefined
    for (const wake of waiting) wake()
  }

  /** No shard is asked any more. */
  leave(): void {
    this.shard = undefined
    this.#waiting ??= NOBODY
  }

  /** Resolves when it is confirmed. After 5 s it calls `onLate` and rejects with RedisUnavailable. */
  confirmed(channel: string, onLate: () => void): Promise<void> {
    if (!this.#waiting) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const stop = awaitOver(CONFIRM_TIMEOUT_MS, () => {
        // Remove it from the list: the subscription may stay unconfirmed for hours, with many callers.
        const at = this.#waiting?.indexOf(wake) ?? -1
        if (at >= 0) this.#waiting?.splice(at, 1)
        onLate()
        reject(new RedisUnavailable(`no confirmation of ${channel}`))
      })
      const wake = () => {
        stop()
        resolve()
      }
      if (this.#waiting === NOBODY) this.#waiting = [wake]
      else this.#waiting?.push(wake)
    })
  }
}
