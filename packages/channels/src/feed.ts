import { isEmptyEpoch, isNext, type Position } from '@saoma/protocol'
import { backOff } from './backoff.ts'
import type { ChannelsEvent } from './event.ts'
import type { Signal } from './follower.ts'
import type { Kept } from './kept.ts'
import type { KeptPage, Log, Witness } from './log.ts'
import type { Member } from './member.ts'
import { decodeEnded, decodeInbox, decodeMessage, decodePresence, decodeVolatile, kinds } from './wire.ts'

/** Messages that may wait while the log is read. Past it they are dropped, which shows as a gap and is read again. */
const MOST_WAITING = 1_000
/** What is kept of the newest messages: as many as a master can have told of after another one had taken over, in most channels. */
const MOST_SEEN = 32

export interface FeedContext {
  log: Log
  /** Flushes the feed as soon as all that came with the present read of the connection was heard. */
  schedule: (feed: Feed) => void
  onEvent: (event: ChannelsEvent) => void
}

/**
 * One channel followed on this node: takes what pub/sub says, puts it in order, fills its gaps from the log and hands it to the members.
 *
 * Its position is what has been handed out. It is known from the first member's page until the last member leaves.
 */
export class Feed {
  readonly channel: string
  /** The Redis channel. */
  readonly live: string
  readonly members = new Set<Member>()
  readonly attendants = new Set<(sid: string | undefined) => void>()
  /** Who uses it or is about to: the subscription is held as long as there is anybody. */
  users = 0
  /** The subscription was away: a position that is behind the log is no mere delay. */
  suspect = false

  readonly #context: FeedContext
  #epoch = ''
  #offset = 0
  /** Up to here messages came from the log, so pub/sub may repeat them. */
  #logged = 0
  /** Marks of the newest messages that were handed out, up to the position. */
  #marks: number[] = []
  #batch: Kept[] = []
  #waiting: Kept[] = []
  /** Set while the log is read; aborted when the last member leaves. */
  #filling: AbortController | undefined
  /** The top that the last check found and pub/sub still owed. */
  #owed = 0
  /** Counts how often the position was lost, so that what was asked before can be told from what was asked since. */
  #run = 0

  constructor(channel: string, live: string, context: FeedContext) {
    this.channel = channel
    this.live = live
    this.#context = context
  }

  get positioned(): boolean {
    return this.#epoch !== ''
  }

  hear(payload: Buffer): void {
    const kind = payload[0]
    if (kind === kinds.message) {
      if (this.members.size === 0) return
      const kept = decodeMessage(this.channel, payload.toString(), this.#epoch)
      if (kept) this.#take(kept)
    } else if (kind === kinds.ended) {
      const sid = decodeEnded(payload.toString())
      for (const attendant of this.attendants) attendant(sid)
    } else if (this.members.size > 0) {
      const signal = this.#signalOf(kind, payload.toString())
      if (!signal) return
      this.flush()
      for (const member of this.members) member.signal(signal)
    }
  }

  /** From here on the member is told of everything; until it starts, that waits. */
  join(member: Member): void {
    member.from = this.#offset
    this.members.add(member)
  }

  /** Whether a member's page ends before what the member was told of begins: only possible when replies overtook each other. */
  misses(member: Member, page: Position): boolean {
    return page.epoch === this.#epoch && page.offset < member.from
  }

  /** The member stands behind its page. Returns whether the feed has got its position by that. */
  settle(member: Member, page: Position): boolean {
    member.standAt(page)
    if (this.positioned) {
      if (!this.#continues(member, page)) {
        // The page is the later truth. What waits is of the log before.
        member.clear()
        void this.fill()
      }
      return false
    }
    this.#stand(page)
    for (const other of this.members) other.from = page.offset
    this.#drain()
    return true
  }

  /** Whether a member's page and what the feed tells are of one log. A channel that was empty on one side has begun meanwhile. */
  #continues(member: Member, page: Position): boolean {
    if (page.epoch === this.#epoch || isEmptyEpoch(this.#epoch)) return true
    return isEmptyEpoch(page.epoch) && member.from === 0
  }

  /** Returns whether the feed has lost its position, because nobody is left. */
  leave(member: Member): boolean {
    member.close()
    if (!this.members.delete(member) || this.members.size > 0) return false
    const { positioned } = this
    this.#run++
    this.#filling?.abort()
    this.#filling = undefined
    this.#epoch = ''
    this.#offset = 0
    this.#marks = []
    this.#batch = []
    this.#waiting = []
    this.#owed = 0
    this.suspect = false
    return positioned
  }

  /** Hands out what was heard. */
  flush(): void {
    if (this.#batch.length === 0) return
    const batch = this.#batch
    this.#batch = []
    for (const member of this.members) member.messages(batch)
  }

  /**
   * Compares the position with the log's. Resolves with false when it is to be done again soon: pub/sub is behind, which is most often
   * a mere delay, or the log was being read, perhaps from before the moment in question.
   */
  async check(
    found: (newest: Witness | undefined) => Promise<{ epoch: string; top: number; same: boolean }>,
  ): Promise<boolean> {
    const run = this.#run
    if (!this.positioned) return true
    if (this.#filling) return false
    if (this.#owed > this.#offset) {
      void this.fill()
      return true
    }
    const [epoch, offset] = [this.#epoch, this.#offset]
    const { epoch: present, top, same } = await found(this.#seen().at(-1))
    if (this.#run !== run || this.#filling || this.#epoch !== epoch) return false
    const { suspect } = this
    this.suspect = false
    if (isEmptyEpoch(epoch) && isEmptyEpoch(present)) {
      // Still empty, which is worth more the later it was seen.
      this.#epoch = present
    } else if (present === epoch && !same) {
      void this.fill({})
    } else if ((present !== epoch && !(isEmptyEpoch(epoch) && top > 0)) || top < offset) {
      void this.fill()
    } else if (top > this.#offset) {
      if (suspect) void this.fill()
      else this.#owed = top
      return suspect
    }
    return true
  }

  /**
   * Reads the log from the position on until it has caught up with pub/sub. Never rejects.
   *
   * @param doubt  that the log is the one that was handed out; `heard` is an offset that came a second time
   */
  async fill(doubt?: { heard?: number }): Promise<void> {
    if (this.#filling || !this.positioned) return
    this.#filling = new AbortController()
    const { signal } = this.#filling
    let messages = 0
    let attempt = 0
    for (let more = true; more; ) {
      try {
        const page = await this.#next(doubt)
        if (signal.aborted) return
        attempt = 0
        if (!page) continue
        messages += page.messages.length
        more = page.more
        this.#show(page)
      } catch (error) {
        if (signal.aborted) return
        this.#context.onEvent({ kind: 'error', error })
        await backOff(++attempt, signal)
        if (signal.aborted) return
      }
    }
    this.#filling = undefined
    this.#owed = 0
    if (messages > 0) this.#context.onEvent({ kind: 'refilled', channel: this.channel, messages })
    this.#drain()
  }

  /** The next page; undefined when the log has gone back and was given another epoch first. */
  async #next(doubt?: { heard?: number }): Promise<KeptPage | undefined> {
    const { log } = this.#context
    const position = { epoch: this.#epoch, offset: this.#offset }
    // Whatever was heard so far is in the log, and the page comes to it.
    this.#waiting = []
    const seen = this.#seen()
    if (doubt) await log.rotate(this.channel, position, seen, doubt.heard)
    const page = await log.resume(this.channel, position)
    if (page.how !== 'epoch' || page.epoch !== position.epoch) return page
    await log.rotate(this.channel, position, seen)
    return undefined
  }

  #show(page: KeptPage): void {
    this.flush()
    if (page.how !== 'recovered') this.#context.onEvent({ kind: 'lost', channel: this.channel })
    if (page.messages.length > 0) for (const member of this.members) member.messages(page.messages)
    this.#stand(page)
    if (page.messages.at(-1)?.offset === page.offset)
      this.#marks = page.messages.slice(-MOST_SEEN).map(({ mark }) => mark)
  }

  #stand(position: Position): void {
    this.#epoch = position.epoch
    this.#offset = position.offset
    this.#logged = position.offset
    this.#marks = []
  }

  #seen(): Witness[] {
    const before = this.#offset - this.#marks.length
    return this.#marks.map((mark, i) => ({ offset: before + 1 + i, mark }))
  }

  /** Whether another message was handed out at this offset; false where that is not known any more. */
  #differs(kept: Kept): boolean {
    const mark = this.#marks.at(kept.offset - this.#offset - 1)
    return this.#offset - kept.offset < this.#marks.length && mark !== kept.mark
  }

  #take(kept: Kept): void {
    if (!this.positioned || this.#filling) return this.#wait(kept)
    if (isNext({ epoch: this.#epoch, offset: this.#offset }, kept)) {
      this.#epoch = kept.epoch
      this.#offset = kept.offset
      if (this.#marks.push(kept.mark) > MOST_SEEN) this.#marks.shift()
      if (this.#batch.push(kept) === 1) this.#context.schedule(this)
      return
    }
    if (kept.epoch === this.#epoch) {
      if (kept.offset <= this.#offset) {
        // Pub/sub repeats nothing that it has said itself: the log has gone back and uses offsets again. What was read from the log it may
        // repeat, but not with other words: then the log that was read is not the one that goes on.
        if (kept.offset > this.#logged || this.#differs(kept)) void this.fill({ heard: kept.offset })
        return
      }
    }
    this.#wait(kept)
    void this.fill()
  }

  #wait(kept: Kept): void {
    if (this.#waiting.length === MOST_WAITING) this.#waiting = []
    this.#waiting.push(kept)
  }

  #drain(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const kept of waiting) {
      // Its read comes after all these were heard.
      if (this.#filling) return
      this.#take(kept)
    }
  }

  #signalOf(kind: number | undefined, text: string): Signal | undefined {
    if (kind === kinds.volatile) return { kind: 'volatile', json: decodeVolatile(this.channel, text) }
    if (kind === kinds.presence) {
      const change = decodePresence(this.channel, text)
      return change && { kind: 'presence', change }
    }
    if (kind === kinds.inbox) {
      const inbox = decodeInbox(text)
      return inbox && { kind: 'inbox', channel: this.channel, inbox }
    }
    return undefined
  }
}
