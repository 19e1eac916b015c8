import { backoffMs } from '@saoma/protocol'
import { RedisUnavailable } from '@saoma/redis'
import { REDIS_BACKOFF } from './backoff.ts'
import type { ChannelsEvent } from './event.ts'
import type { Feed } from './feed.ts'

/**
 * Most checks under way at once, and most that begin in one tick. With ten ticks per second that is 1,000
 * checks per second.
 */
const PER_TICK = 100
const TICK_MS = 100
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
 * One timer for all feeds of a node. It compares them with Redis in turn. Feeds that may have lost messages
 * come first.
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
      if (at + checkMs > now) return undefined
      if (!owing.has(feed)) return feed
    }
    return undefined
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
  }

  const tick = () => {
    const now = performance.now()
    if (now < pausedUntil) return
    for (let budget = PER_TICK - running; budget > 0; budget--) {
      const feed = next(now)
      if (!feed) return
      void run(feed)
    }
  }
  const timer = setInterval(tick, Math.min(TICK_MS, checkMs)).unref()

  return {
    add: (feed: Feed): void => {
      turns.set(feed, performance.now())
      if (feed.suspect) urgent.add(feed)
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
    close: (): void => clearInterval(timer),
  }
}

export type Reconciler = ReturnType<typeof createReconciler>
