import { isEmptyEpoch, type Position } from '@saoma/protocol'
import type { ChannelListener } from '@saoma/redis'
import { backOff } from './backoff.ts'
import type { PersonEnd } from './ends.ts'
import type { ChannelsEvent } from './event.ts'
import type { FeedListener } from './feed-listener.ts'
import { FeedPosition } from './feed-position.ts'
import type { Log, LogPage } from './log.ts'
import type { LogEntry } from './log-entry.ts'
import { decodeEnd, decodeMessage, decodeSignal, kinds } from './wire.ts'

/**
 * Most messages that wait while the log is read. Above it they are dropped; that shows as a gap, and the log
 * is read again.
 */
const MOST_WAITING = 1_000

export interface FeedContext {
  log: Log
  /** Flushes the feed after all messages of the present read of the connection. */
  schedule: (feed: Feed) => void
  onEvent: (event: ChannelsEvent) => void
}

/**
 * One channel that this node follows: takes messages from pub/sub, puts them in order, fills gaps from the
 * log, and hands them to its members.
 *
 * Its position is the last message that it has handed out. It is known from the first member's page until the
 * last member leaves.
 */
export class Feed implements ChannelListener {
  readonly channel: string
  /** The Redis pub/sub channel. */
  readonly pubsub: string
  readonly members = new Set<FeedListener>()
  readonly endListeners = new Set<(end: PersonEnd) => void>()
  /** Number of users, including those about to join. The subscription is held while it is above 0. */
  users = 0

  readonly #context: FeedContext
  readonly #position = new FeedPosition()
  /** Set when the subscription was interrupted, until the next check. A new symbol each time. */
  #doubt: symbol | undefined
  #batch: LogEntry[] = []
  #waiting: LogEntry[] = []
  /** Set while the log is read; aborted when the last member leaves. */
  #filling: AbortController | undefined
  /** The newest offset that the last check found in the log and that pub/sub had not yet delivered. */
  #owed = 0
  /** Counts how often the position was lost. It tells an answer to an earlier request from a current one. */
  #run = 0

  constructor(channel: string, pubsub: string, context: FeedContext) {
    this.channel = channel
    this.pubsub = pubsub
    this.#context = context
  }

  get positioned(): boolean {
    return this.#position.isKnown
  }

  /** The subscription was interrupted. Until the next check, a position behind the log is not mere delay. */
  doubt(): void {
    this.#doubt = Symbol()
  }

  get suspect(): boolean {
    return this.#doubt !== undefined
  }

  hear(payload: Buffer): void {
    const kind = payload[0]
    if (kind === kinds.message) {
      if (this.members.size === 0) return
      const kept = decodeMessage(this.channel, payload.toString(), this.#position.epoch)
      if (kept) this.#take(kept)
    } else if (kind === kinds.ended || kind === kinds.explained) {
      const end = decodeEnd(payload.toString())
      if (end) for (const listener of this.endListeners) listener(end)
    } else if (this.members.size > 0) {
      const signal = decodeSignal(this.channel, payload)
      if (!signal) return
      this.flush()
      for (const member of this.members) member.signal(signal)
    }
  }

  /** From here on the member gets every message. Until it starts, they wait. */
  join(member: FeedListener): void {
    member.from = this.#position.offset
    this.members.add(member)
  }

  /**
   * Whether there is a gap between a member's page and its first live message. That is only possible if
   * replies overtook each other.
   */
  misses(member: FeedListener, page: Position): boolean {
    return page.epoch === this.#position.epoch && page.offset < member.from
  }

  /** Sets the member's position to the end of its page. Returns whether this gave the feed its position. */
  settle(member: FeedListener, page: LogPage): boolean {
    member.standAt(page)
    if (this.positioned) {
      if (!this.#position.continues(page, member.from)) {
        // The page is newer than the feed. What is waiting belongs to the earlier log.
        member.clear()
        void this.fill()
      } else if (page.epoch === this.#position.epoch) {
        // The member has these messages from its page, and will skip those of pub/sub without a comparison.
        if (page.offset > this.#position.offset) this.#position.witnesses.doubt(this.#position.offset + 1)
        this.#position.witnesses.learn(page)
        if (this.#position.witnesses.contradicted) void this.fill()
      }
      return false
    }
    this.#position.stand(page)
    for (const other of this.members) other.from = page.offset
    this.#drain()
    return true
  }

  /** Returns whether the feed has lost its position, because the last member has left. */
  leave(member: FeedListener): boolean {
    member.close()
    if (!this.members.delete(member) || this.members.size > 0) return false
    const { positioned } = this
    this.#run++
    this.#filling?.abort()
    this.#filling = undefined
    this.#position.clear()
    this.#batch = []
    this.#waiting = []
    this.#owed = 0
    this.#doubt = undefined
    return positioned
  }

  /** Hands out the batch of received messages. */
  flush(): void {
    if (this.#batch.length === 0) return
    const batch = this.#batch
    this.#batch = []
    for (const member of this.members) member.messages(batch)
  }

  /**
   * Compares the position with the log. Resolves with false when the check must be repeated soon. Either
   * pub/sub is behind, mostly a mere delay, or the log was being read, perhaps at an earlier state.
   */
  async check(
    found: (witnesses: readonly number[]) => Promise<{ epoch: string; top: number; same: boolean }>,
  ): Promise<boolean> {
    const run = this.#run
    if (!this.positioned) return true
    if (this.#filling) return false
    if (this.#owed > this.#position.offset) {
      void this.fill()
      return true
    }
    const [epoch, offset] = [this.#position.epoch, this.#position.offset]
    const [doubt, suspect] = [this.#doubt, this.suspect]
    const compared = this.#position.witnesses.comparing()
    const { epoch: present, top, same } = await found(this.#position.witnesses.due(suspect))
    if (this.#run !== run || this.#filling || this.#position.epoch !== epoch) return false
    if (this.#doubt === doubt) this.#doubt = undefined
    if (isEmptyEpoch(epoch) && isEmptyEpoch(present)) {
      // Still empty. A later observation is worth more.
      this.#position.epoch = present
      return true
    }
    const isOther = present !== epoch && !(isEmptyEpoch(epoch) && top > 0)
    if (isOther || !same || top < offset) {
      this.#position.witnesses.contradicted = true
      void this.fill()
      return true
    }
    compared(offset)
    if (top > this.#position.offset) {
      if (suspect) void this.fill()
      else this.#owed = top
      return suspect
    }
    // Messages that arrived meanwhile may come from a replaced master. They would hide those that the log has
    // at the same offsets, so check again.
    return !suspect || this.#position.offset === offset
  }

  /** Reads the log from the position on until it has caught up with pub/sub. Never rejects. */
  async fill(): Promise<void> {
    if (this.#filling || !this.positioned) return
    this.#filling = new AbortController()
    const { signal } = this.#filling
    let messages = 0
    let attempt = 0
    for (let more = true; more || this.#position.witnesses.contradicted; ) {
      try {
        const page = await this.#next()
        if (signal.aborted) return
        attempt = 0
        if (!page) continue
        messages += page.messages.length
        more = page.more
        this.#show(page)
      } catch (error) {
        if (signal.aborted) return
        this.#context.onEvent({ kind: 'error', error })
        await backOff(attempt++, signal)
        if (signal.aborted) return
      }
    }
    this.#filling = undefined
    this.#owed = 0
    if (messages > 0) this.#context.onEvent({ kind: 'refilled', channel: this.channel, messages })
    this.#drain()
  }

  /** The next page; undefined when the log went back meanwhile. */
  async #next(): Promise<LogPage | undefined> {
    const { log } = this.#context
    const position = { epoch: this.#position.epoch, offset: this.#position.offset }
    // The log contains everything received so far, so the page will contain it, too.
    this.#waiting = []
    const { contradicted, unsure } = this.#position.witnesses
    const due = this.#position.witnesses.due(true)
    this.#position.witnesses.contradicted = false
    try {
      await log.rotate(this.channel, position, due, unsure)
    } catch (error) {
      this.#position.witnesses.contradicted ||= contradicted
      throw error
    }
    const page = await log.resume(this.channel, position)
    return page.how === 'epoch' && page.epoch === position.epoch ? undefined : page
  }

  #show(page: LogPage): void {
    this.flush()
    if (page.how !== 'recovered') this.#context.onEvent({ kind: 'lost', channel: this.channel })
    if (page.messages.length > 0) for (const member of this.members) member.messages(page.messages)
    this.#position.stand(page)
  }

  #take(kept: LogEntry): void {
    if (!this.positioned || this.#filling) return this.#wait(kept)
    if (this.#position.isNext(kept)) {
      // A page has shown another message at this offset.
      if (this.#position.witnesses.contradict(kept)) return void this.fill()
      this.#position.step(kept)
      if (this.#batch.push(kept) === 1) this.#context.schedule(this)
      return
    }
    if (kept.epoch === this.#position.epoch && kept.offset <= this.#position.offset) return this.#hearAgain(kept)
    this.#wait(kept)
    void this.fill()
  }

  /**
   * Handles a message at or before the position. Pub/sub never repeats its own messages, so if one was handed
   * out from pub/sub, the log has gone back and uses offsets again. Messages read from the log may come again
   * by pub/sub. If one differs, the log that was read is not the one that goes on.
   */
  #hearAgain(kept: LogEntry): void {
    const isKnown = this.#position.witnesses.knows(kept.offset)
    const isOther = this.#position.witnesses.contradict(kept)
    const isAgain = kept.offset > this.#position.logged
    if (isOther || isAgain || !isKnown) this.#position.witnesses.doubt(kept.offset)
    this.#position.witnesses.contradicted ||= isAgain
    if (isOther || isAgain) void this.fill()
  }

  #wait(kept: LogEntry): void {
    if (this.#waiting.length === MOST_WAITING) this.#waiting = []
    this.#waiting.push(kept)
  }

  #drain(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const kept of waiting) {
      // The fill reads the log after all these messages were received.
      if (this.#filling) return
      this.#take(kept)
    }
  }
}
