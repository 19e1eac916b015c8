import { isPassing, wordOf } from './replies.ts'

/** A refusal of subscriptions is reported once in this time, however many there are. */
const QUIET_MS = 10_000

/** Redis's refusals of subscriptions. */
export class Refusals {
  readonly #onRefused: (error: Error) => void
  #word: string | undefined
  #toldAt = Number.NEGATIVE_INFINITY

  constructor(onRefused: (error: Error) => void) {
    this.#onRefused = onRefused
  }

  /** The word of the last refusal, such as NOPERM; undefined once Redis has confirmed a subscription. */
  get word(): string | undefined {
    return this.#word
  }

  note(error: Error): void {
    this.#word = wordOf(error)
    const now = performance.now()
    if (isPassing(error.message) || now - this.#toldAt < QUIET_MS) return
    this.#toldAt = now
    this.#onRefused(new Error(`Redis refuses subscriptions: ${error.message}`, { cause: error }))
  }

  end(): void {
    this.#word = undefined
  }
}
