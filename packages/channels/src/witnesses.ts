import type { LogPage } from './log.ts'
import type { LogEntry } from './log-entry.ts'

/**
 * How many are known: as many as a master can have told of after another one had taken over, in most
 * channels.
 */
const MOST = 32

/**
 * What is left of the newest messages of one epoch that anybody was given: offset, mark, offset, mark, … by
 * offset. A log that has another message in one of these places is not the log that was handed out. The mark
 * is not of the time: a publication that is repeated, because its master was lost before it was acknowledged,
 * mostly gets the offset that it had, and is the same message.
 *
 * One flat list, because a node has one for each channel; and it is what the scripts take.
 */
export class Witnesses {
  /** Two of them, or one and what was heard, contradict each other: all are to be compared with the log. */
  contradicted = false
  /**
   * The lowest offset since the last comparison at which another message may have been given than the log
   * has. 0 when there is none.
   */
  unsure = 0

  #pairs: number[] = []
  /** Up to these offsets the log was the same at the last comparison, and at the one before. */
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

  /**
   * It comes in a place that may have been given already. Returns whether another message is known to have
   * been there.
   */
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
   * What to compare: at least the newest, and all where there is a contradiction. Of a log that may be
   * another master's by now also what was compared only once: that master has had the time between two
   * comparisons to hear of the others.
   */
  due(isSuspect: boolean): readonly number[] {
    if (this.contradicted) return this.#pairs
    const { last, before } = this.#compared
    return this.#pairs.slice(Math.min(this.#end(isSuspect ? before : last), Math.max(this.#pairs.length - 2, 0)))
  }

  /**
   * Begins a comparison of what is due. To be called when it has shown that the log is the same up to an
   * offset.
   */
  comparing(): (offset: number) => void {
    const [begun, unsure] = [this.#compared, this.unsure]
    return (offset) => {
      // What was added to what lies before is not compared.
      if (this.#compared === begun) this.#compared = { last: offset, before: begun.last }
      if (this.unsure === unsure) this.unsure = 0
    }
  }

  /** Of another epoch nothing is known. */
  clear(): void {
    this.#pairs = []
    this.#compared = { last: 0, before: 0 }
    this.contradicted = false
    this.unsure = 0
  }

  /** Where those behind an offset begin. Most often that is the end. */
  #end(offset: number): number {
    let end = this.#pairs.length
    while (end > 0 && (this.#pairs[end - 2] ?? 0) > offset) end -= 2
    return end
  }
}
