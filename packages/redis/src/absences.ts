import type { Cause } from './shards.ts'

/** The channels that were away, each with the reason. */
export type Away = ReadonlyMap<string, Cause>

/** Those channels that were heard, or should have been, and are not at this moment. */
export class Absences {
  readonly #onBack: (away: Away) => void
  readonly #away = new Map<string, Cause>()
  #back = new Map<string, Cause>()

  /** @param onBack  told of channels that are heard again: of all that come back in one turn together */
  constructor(onBack: (away: Away) => void) {
    this.#onBack = onBack
  }

  /** Why a channel is not heard; undefined when it is. */
  causeOf(channel: string): Cause | undefined {
    return this.#away.get(channel)
  }

  begin(channel: string, cause: Cause): void {
    // The first reason is the one that counts.
    if (!this.#away.has(channel)) this.#away.set(channel, cause)
  }

  /** Nobody listens any more. */
  forget(channel: string): void {
    this.#away.delete(channel)
  }

  end(channel: string, cause: Cause): void {
    this.#away.delete(channel)
    if (this.#back.set(channel, cause).size > 1) return
    setImmediate(() => {
      const back = this.#back
      this.#back = new Map()
      this.#onBack(back)
    })
  }
}
