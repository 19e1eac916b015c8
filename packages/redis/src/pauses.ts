import { reconnectDelayMs } from './connection.ts'

/**
 * The longest pause before subscriptions without a shard are retried. It is short, so that a failover ends
 * for us soon after it ends in Redis.
 */
const LONGEST_MS = 1_000
/** After this time without a pause, pauses start short again. */
const CALM_MS = 5_000

/** Retries after a pause: one retry at a time, each pause longer than the one before. */
export class Pauses {
  readonly #again: () => Promise<void>
  #count = 0
  #lastAt = 0
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  /** @param again  the retry; the next pause begins when it has finished */
  constructor(again: () => Promise<void>) {
    this.#again = again
  }

  begin(): void {
    if (this.#timer || this.#isClosed) return
    const now = performance.now()
    if (now - this.#lastAt > CALM_MS) this.#count = 0
    const pauseMs = Math.min(reconnectDelayMs(++this.#count), LONGEST_MS)
    this.#lastAt = now + pauseMs
    this.#timer = setTimeout(async () => {
      await this.#again()
    }, pauseMs).unref()
  }

  /** The retry has finished: the next pause may begin. */
  end(): void {
    this.#timer = undefined
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
  }
}
