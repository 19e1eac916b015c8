import { isPassing, wordOf } from './replies.ts'

/** A refusal of subscriptions is told once in this time, however many there are. */
const QUIET_MS = 10_000

/** What Redis says where it refuses subscriptions. */
export class Refusals {
  readonly #onRefused: (error: Error) => void
  #word: string | undefined
  #toldAt = Number.NEGATIVE_INFINITY

  constructor(onRefused: (error: Error) => void) {
    this.#onRefused = onRefused
  }

  /** The word of the last one, such as NOPERM; undefined since Redis confirmed a subscription. */
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
