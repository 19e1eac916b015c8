import { backoffMs } from '@saoma/protocol'
import { RedisUnavailable } from '@saoma/redis'
import { REDIS_BACKOFF } from './backoff.ts'
import type { ChannelsEvent } from './event.ts'
import type { Feed } from './feed.ts'

/**
 * Checks begun in one tick, and under way at once: with ten ticks in a second that is 1,000 checks a second.
 */
const PER_TICK = 100
const TICK_MS = 100
/** What a message may take from the log to this node. */
const GRACE_MS = 500

export interface ReconcilerOptions {
  /** Every feed is checked once in this time. */
  checkMs: number
  /** Resolves with false when the feed is to be checked again soon; rejects when Redis cannot be asked. */
  check: (feed: Feed) => Promise<boolean>
  onEvent: (event: ChannelsEvent) => void
}

/**
 * One timer for all feeds of a node: it compares them with Redis in turn, and at once those whose messages
 * may have been lost.
 */
export const createReconciler = ({ checkMs, check, onEvent }: ReconcilerOptions) => {
  /** By the time of their last check, the longest ago first. */
  const turns = new Map<Feed, number>()
  const urgent = new Set<Feed>()
  /**
   * Feeds to be looked at again at some time, because pub/sub was behind: it has that long for what is merely
   * on its way.
   */
  const owing = new Map<Feed, number>()
  let running = 0
  /** Feeds of a resync that is under way. */
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
    // Those under way fail together, which is one failure.
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
      // Any other error is the feed's own: it waits for its next turn.
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
