import { backoffMs } from '@saoma/protocol'
import { RedisUnavailable } from '@saoma/redis'
import { REDIS_BACKOFF } from './backoff.ts'
import type { ChannelsEvent } from './event.ts'
import type { Feed } from './feed.ts'

/**
 * Most checks under way at once, and most that begin in one tick. With at most ten ticks per second that is
 * 1,000 checks per second.
 */
const PER_TICK = 100
const TICK_MS = 100
/**
 * A feed may be checked this part of `checkMs` early. So a node wakes ten times in that time at most, and the
 * checks of one tick reach Redis together.
 */
const EARLY = 0.1
/** How long a message may take from the log to this node. */
const GRACE_MS = 500

export interface ReconcilerOptions {
  /** Each feed is checked once in this time. */
  checkMs: number
  /** Resolves with false when the feed must be checked again soon. Rejects when Redis is unavailable. */
  check: (feed: Feed) => Promise<boolean>
  onEvent: (event: ChannelsEvent) => void
}

/**
 * One timer for all feeds of a node, which runs only when a feed is due. It compares them with Redis in turn.
 * Feeds that may have lost messages come first.
 */
export const createReconciler = ({ checkMs, check, onEvent }: ReconcilerOptions) => {
  /** Time of each feed's last check, oldest first. */
  const turns = new Map<Feed, number>()
  const urgent = new Set<Feed>()
  /**
   * Feeds whose pub/sub was behind, with the time of their next check. Messages under way have until then to
   * arrive.
   */
  const owing = new Map<Feed, number>()
  let running = 0
  /** Number of feeds in a running resync. */
  let resyncing: number | undefined
  let attempt = 0
  let pausedUntil = 0

  const next = (now: number): Feed | undefined => {
    for (const feed of urgent) return feed
    const [owed] = owing
    if (owed && owed[1] <= now) return owed[0]
    for (const [feed, at] of turns) {
      if (at + checkMs * (1 - EARLY) > now) return undefined
      if (!owing.has(feed)) return feed
    }
    return undefined
  }

  /** When the next feed is due; infinity without any. */
  const dueAt = (): number => {
    if (urgent.size > 0) return Number.NEGATIVE_INFINITY
    const [owed] = owing.values()
    const at = owed ?? Number.POSITIVE_INFINITY
    for (const [feed, last] of turns) {
      // All behind it are due later.
      if (last + checkMs >= at) break
      if (!owing.has(feed)) return last + checkMs
    }
    return at
  }

  let timer: NodeJS.Timeout | undefined
  let wakesAt = Number.POSITIVE_INFINITY
  let tickedAt = Number.NEGATIVE_INFINITY
  let isClosed = false

  /** Sets the timer for the next tick. */
  const plan = (): void => {
    const at = Math.max(dueAt(), pausedUntil, tickedAt + Math.min(TICK_MS, checkMs))
    if (isClosed || at >= wakesAt) return
    clearTimeout(timer)
    wakesAt = at
    timer = setTimeout(tick, Math.max(1, at - performance.now())).unref()
  }

  const tellResynced = () => {
    if (resyncing === undefined || running > 0 || urgent.size > 0) return
    onEvent({ kind: 'resynced', channels: resyncing })
    resyncing = undefined
  }

  const retry = (feed: Feed) => {
    if (turns.has(feed)) urgent.add(feed)
    // Checks under way fail together; that counts as one failure.
    const now = performance.now()
    if (now >= pausedUntil) pausedUntil = now + backoffMs(attempt++, REDIS_BACKOFF)
  }

  const run = async (feed: Feed) => {
    running++
    urgent.delete(feed)
    owing.delete(feed)
    turns.delete(feed)
    turns.set(feed, performance.now())
    try {
      const settled = await check(feed)
      attempt = 0
      if (!settled && turns.has(feed)) owing.set(feed, performance.now() + GRACE_MS)
    } catch (error) {
      onEvent({ kind: 'error', error })
      // Any other error concerns only this feed. It waits for its next turn.
      if (error instanceof RedisUnavailable) retry(feed)
    }
    running--
    tellResynced()
    plan()
  }

  const begin = (now: number): void => {
    for (let budget = PER_TICK - running; budget > 0; budget--) {
      const feed = next(now)
      if (!feed) return
      void run(feed)
    }
  }

  const tick = (): void => {
    clearTimeout(timer)
    tickedAt = performance.now()
    wakesAt = Number.POSITIVE_INFINITY
    if (tickedAt >= pausedUntil) begin(tickedAt)
    plan()
  }

  return {
    add: (feed: Feed): void => {
      turns.set(feed, performance.now())
      if (feed.suspect) urgent.add(feed)
      plan()
    },
    delete: (feed: Feed): void => {
      turns.delete(feed)
      urgent.delete(feed)
      owing.delete(feed)
    },
    /** Checks these feeds now, as fast as the limits allow. */
    resync: (feeds: readonly Feed[]): void => {
      const known = feeds.filter((feed) => turns.has(feed))
      for (const feed of known) urgent.add(feed)
      resyncing = (resyncing ?? 0) + known.length
      tick()
      tellResynced()
    },
    close: (): void => {
      isClosed = true
      clearTimeout(timer)
    },
  }
}

export type Reconciler = ReturnType<typeof createReconciler>
