import { isEmptyEpoch, isNext, type Position } from '@saoma/protocol'
import type { LogPage } from './log.ts'
import type { LogEntry } from './log-entry.ts'
import { Witnesses } from './witnesses.ts'

/** Where a feed stands: what it has handed out, and what it remembers of the way. */
export class FeedPosition {
  epoch = ''
  offset = 0
  /** Up to here messages came from the log, so pub/sub may repeat them. */
  logged = 0
  readonly witnesses = new Witnesses()

  get isKnown(): boolean {
    return this.epoch !== ''
  }

  /** Nobody is left who was handed anything. */
  clear(): void {
    this.epoch = ''
    this.offset = 0
    this.witnesses.clear()
  }

  /** Behind a page of the log. */
  stand(page: LogPage): void {
    if (page.epoch !== this.epoch) this.witnesses.clear()
    this.epoch = page.epoch
    this.offset = page.offset
    this.logged = page.offset
    this.witnesses.learn(page)
  }

  isNext(kept: LogEntry): boolean {
    return isNext({ epoch: this.epoch, offset: this.offset }, kept)
  }

  /** Behind the next message. */
  step(kept: LogEntry): void {
    this.epoch = kept.epoch
    this.offset = kept.offset
    this.witnesses.add(kept)
  }

  /**
   * Whether a member's page and what the feed tells are of one log. A channel that was empty on one side has
   * begun meanwhile.
   *
   * @param from  where the member was told to be
   */
  continues(page: Position, from: number): boolean {
    if (page.epoch === this.epoch || isEmptyEpoch(this.epoch)) return true
    return isEmptyEpoch(page.epoch) && from === 0
  }
}
