import type { Cause } from './shards.ts'

/** Channels that were not heard, each with the reason. */
export type Away = ReadonlyMap<string, Cause>

/** The channels that should be heard but are not heard at the moment. */
export class Absences {
  readonly #onBack: (away: Away) => void
  readonly #away = new Map<string, Cause>()
  #back = new Map<string, Cause>()

  /** @param onBack  called with all channels that are heard again in one turn of the event loop */
  constructor(onBack: (away: Away) => void) {
    this.#onBack = onBack
  }

  /** Why a channel is not heard; undefined when it is heard. */
  causeOf(channel: string): Cause | undefined {
    return this.#away.get(channel)
  }

  begin(channel: string, cause: Cause): void {
    // Keep the first reason.
    if (!this.#away.has(channel)) this.#away.set(channel, cause)
  }

  /** The channel has no listener any more. */
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
