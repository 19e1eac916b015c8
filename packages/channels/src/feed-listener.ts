import type { Position } from '@saoma/protocol'
import type { Listener, Signal } from './follower.ts'
import type { LogEntry } from './log-entry.ts'

/**
 * Most batches and signals that wait for `start`. Above it the oldest is dropped: the follower sees a gap and
 * reads the log, as after any loss.
 */
const MOST_WAITING = 1_000

/** One follower of a channel: its position, and what arrived before it was ready. */
export class FeedListener {
  /** The follower gets every message after this offset. Earlier ones must be in its page. */
  from = 0
  readonly #listener: Listener
  #waiting: (readonly LogEntry[] | Signal)[] | undefined = []
  #ahead: Position | undefined
  #closed = false

  constructor(listener: Listener) {
    this.#listener = listener
  }

  /** Sets the end of the follower's page. Messages up to there are not handed out again. */
  standAt(position: Position): void {
    this.#ahead = { epoch: position.epoch, offset: position.offset }
  }

  /** Drops what is waiting. */
  clear(): void {
    if (this.#waiting) this.#waiting = []
  }

  /** Hands over what is waiting. From then on everything goes straight to the listener. */
  start(): void {
    const waiting = this.#waiting ?? []
    this.#waiting = undefined
    for (const item of waiting) {
      if (this.#closed) return
      if ('kind' in item) this.signal(item)
      else this.messages(item)
    }
  }

  close(): void {
    this.#closed = true
    this.clear()
  }

  signal(signal: Signal): void {
    if (this.#waiting) this.#wait(signal)
    else this.#listener.signal(signal)
  }

  messages(batch: readonly LogEntry[]): void {
    if (this.#waiting) return this.#wait(batch)
    const rest = this.#ahead ? this.#after(this.#ahead, batch) : batch
    if (rest.length > 0) this.#listener.messages(rest)
  }

  /** A batch has one epoch and no gaps, so the part after a position follows from its offset. */
  #after(position: Position, batch: readonly LogEntry[]): readonly LogEntry[] {
    const [first] = batch
    const known = first && first.epoch === position.epoch ? position.offset - first.offset + 1 : 0
    if (known >= batch.length) return []
    this.#ahead = undefined
    return known > 0 ? batch.slice(known) : batch
  }

  #wait(item: readonly LogEntry[] | Signal): void {
    if (!this.#waiting) return
    if (this.#waiting.length === MOST_WAITING) this.#waiting.shift()
    this.#waiting.push(item)
  }
}
