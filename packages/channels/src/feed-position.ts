import { isEmptyEpoch, isNext, type Position } from '@saoma/protocol'
import type { LogPage } from './log.ts'
import type { LogEntry } from './log-entry.ts'
import { Witnesses } from './witnesses.ts'

/** The position of a feed, which is the last message that it has handed out, and its witnesses. */
export class FeedPosition {
  epoch = ''
  offset = 0
  /** Messages up to this offset came from the log, so pub/sub may repeat them. */
  logged = 0
  readonly witnesses = new Witnesses()

  get isKnown(): boolean {
    return this.epoch !== ''
  }

  /** The last follower has left. */
  clear(): void {
    this.epoch = ''
    this.offset = 0
    this.witnesses.clear()
  }

  /** Moves to the end of a page of the log. */
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

  /** Moves to the next message. */
  step(kept: LogEntry): void {
    this.epoch = kept.epoch
    this.offset = kept.offset
    this.witnesses.add(kept)
  }

  /**
   * Whether a follower's page and the feed belong to the same log. If one of them saw the channel empty, the
   * channel has begun meanwhile.
   *
   * @param from  the offset after which the follower gets messages
   */
  continues(page: Position, from: number): boolean {
    if (page.epoch === this.epoch || isEmptyEpoch(this.epoch)) return true
    return isEmptyEpoch(page.epoch) && from === 0
  }
}
