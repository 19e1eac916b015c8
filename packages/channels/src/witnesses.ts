import type { LogPage } from './log.ts'
import type { LogEntry } from './log-entry.ts'

/**
 * Witnesses per epoch: in most channels more than a replaced master publishes after another has taken over.
 */
const MOST = 32

/**
 * Witnesses: offset and mark of the newest messages of one epoch that anybody was given, ordered by offset. A
 * log with another message at one of these offsets is not the log that was handed out. The mark ignores the
 * time. If a master is lost before it acknowledges, the repeated publication mostly gets the same offset and
 * counts as the same message.
 *
 * One flat list (offset, mark, offset, mark, …): it saves memory, since a node has one per channel, and the
 * scripts take it as it is.
 */
export class Witnesses {
  /**
   * Two witnesses, or a witness and a received message, contradict each other. All must be compared with the
   * log.
   */
  contradicted = false
  /**
   * The lowest offset since the last comparison at which a follower may have got another message than the log
   * has; 0 when there is none.
   */
  unsure = 0

  #pairs: number[] = []
  /** The log agreed up to these offsets at the last comparison, and at the one before. */
  #compared = { last: 0, before: 0 }

  add({ offset, mark }: { offset: number; mark: number }): void {
    const end = this.#end(offset)
    let contradicts = false
    for (let i = end; this.#pairs[i - 2] === offset; i -= 2) {
      if (this.#pairs[i - 1] === mark) return
      contradicts = true
    }
    this.contradicted ||= contradicts
    this.#pairs.splice(end, 0, offset, mark)
    if (this.#pairs.length > 2 * MOST) this.#pairs.splice(0, 2)
    const { last, before } = this.#compared
    if (offset <= last) this.#compared = { last: offset - 1, before: Math.min(before, offset - 1) }
  }

  learn({ messages, offset, mark }: LogPage): void {
    for (const kept of messages.slice(-MOST)) this.add(kept)
    if (mark !== undefined) this.add({ offset, mark })
  }

  /** Compares a message with the witnesses of its offset. Returns whether one of them is another message. */
  contradict(kept: LogEntry): boolean {
    for (let i = this.#end(kept.offset); this.#pairs[i - 2] === kept.offset; i -= 2)
      if (this.#pairs[i - 1] !== kept.mark) {
        this.contradicted = true
        return true
      }
    return false
  }

  knows(offset: number): boolean {
    return this.#pairs[this.#end(offset) - 2] === offset
  }

  doubt(offset: number): void {
    if (this.unsure === 0 || offset < this.unsure) this.unsure = offset
  }

  /**
   * Witnesses to compare: at least the newest one, or all after a contradiction. If another master may have
   * taken over, also those that were compared only once: within two comparisons the former master has had
   * time to learn of the others.
   */
  due(isSuspect: boolean): readonly number[] {
    if (this.contradicted) return this.#pairs
    const { last, before } = this.#compared
    return this.#pairs.slice(Math.min(this.#end(isSuspect ? before : last), Math.max(this.#pairs.length - 2, 0)))
  }

  /**
   * Begins a comparison of the due witnesses. Call the returned function when the log agreed up to an offset.
   */
  comparing(): (offset: number) => void {
    const [begun, unsure] = [this.#compared, this.unsure]
    return (offset) => {
      // If a witness was added before the end meanwhile, it was not compared.
      if (this.#compared === begun) this.#compared = { last: offset, before: begun.last }
      if (this.unsure === unsure) this.unsure = 0
    }
  }

  /** A new epoch begins without witnesses. */
  clear(): void {
    this.#pairs = []
    this.#compared = { last: 0, before: 0 }
    this.contradicted = false
    this.unsure = 0
  }

  /** The index after the last witness up to this offset, mostly the end of the list. */
  #end(offset: number): number {
    let end = this.#pairs.length
    while (end > 0 && (this.#pairs[end - 2] ?? 0) > offset) end -= 2
    return end
  }
}
