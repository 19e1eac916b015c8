import { reconnectDelayMs } from './connection.ts'

/**
 * The longest pause before what has no shard is tried again: a failover is to be over for us soon after it is
 * over.
 */
const LONGEST_MS = 1_000
/** Pauses begin short again when there was none for that long. */
const CALM_MS = 5_000

/** Tries again after a pause: one at a time, each longer than the one before. */
export class Pauses {
  readonly #again: () => Promise<void>
  #count = 0
  #lastAt = 0
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  /** @param again  what is tried; the next pause begins when it is over */
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

  /** A pause is over: the next one may begin. */
  end(): void {
    this.#timer = undefined
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
  }
}
