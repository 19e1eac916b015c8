import type { Away, RedisClients } from '@saoma/redis'
import type { PersonEnd } from './ends.ts'
import type { ChannelsEvent } from './event.ts'
import { Feed } from './feed.ts'
import { FeedListener } from './feed-listener.ts'
import type { Following, FollowRequest, Listener } from './follower.ts'
import { assertChannelName, type Log, type LogPage, pageOf } from './log.ts'
import type { PresenceCounts } from './presence.ts'
import { createReconciler } from './reconciler.ts'

export interface FeedsOptions {
  checkMs: number
  onEvent: (event: ChannelsEvent) => void
}

/**
 * The channels that this node follows. All followers of a channel share one subscription and one position.
 */
export const createFeeds = (
  redis: RedisClients,
  log: Log,
  presence: PresenceCounts,
  { checkMs, onEvent }: FeedsOptions,
) => {
  const { subscriber, keys } = redis
  /** By Redis pub/sub channel. */
  const feeds = new Map<string, Feed>()
  const size = { channels: 0, followers: 0 }
  let closed = false
  let scheduled: Feed[] = []

  const flush = () => {
    const due = scheduled
    scheduled = []
    for (const feed of due) feed.flush()
  }
  // ioredis emits all messages of one read of the connection synchronously. A microtask runs after the last
  // of them.
  const schedule = (feed: Feed) => {
    if (scheduled.push(feed) === 1) queueMicrotask(flush)
  }
  const context = { log, schedule, onEvent }

  const reconciler = createReconciler({
    checkMs,
    onEvent,
    check: (feed) =>
      feed.check(async (witnesses) => {
        const { people, ...place } = await log.check(feed.channel, presence.node, witnesses)
        presence.compare(feed.channel, people)
        return place
      }),
  })

  const resync = (away: Away) => {
    const missed: Feed[] = []
    for (const pubsub of away.keys()) {
      const feed = feeds.get(pubsub)
      if (!feed || feed.members.size === 0) continue
      // A feed without a position is checked as soon as it has one.
      feed.doubt()
      missed.push(feed)
    }
    reconciler.resync(missed)
  }
  subscriber.on('resubscribed', resync)

  const refuseWhenClosed = () => {
    if (closed) throw new Error('the channels of this node are closed')
  }

  /**
   * Starts using the channel's feed; `confirmed` settles with its subscription. Every call must be followed
   * by `exit`.
   */
  const enter = (channel: string): { feed: Feed; confirmed: Promise<void> } => {
    refuseWhenClosed()
    const pubsub = keys.channelPubsub(assertChannelName(channel))
    const known = feeds.get(pubsub)
    if (known) {
      known.users++
      return { feed: known, confirmed: subscriber.confirmed(pubsub) }
    }
    const feed = new Feed(channel, pubsub, context)
    feed.users++
    feeds.set(pubsub, feed)
    return { feed, confirmed: subscriber.hold(pubsub, feed) }
  }

  const exit = (feed: Feed) => {
    if (--feed.users > 0 || closed) return
    feeds.delete(feed.pubsub)
    subscriber.release(feed.pubsub, feed)
  }

  const leave = (feed: Feed, member: FeedListener) => {
    if (feed.leave(member)) {
      size.channels--
      reconciler.delete(feed)
    }
  }

  const settle = (feed: Feed, member: FeedListener, page: LogPage) => {
    if (!feed.settle(member, page)) return
    size.channels++
    reconciler.add(feed)
  }

  const read = async (feed: Feed, member: FeedListener, request: FollowRequest): Promise<LogPage> => {
    const page = await log.read(feed.channel, request)
    // A page read from now on reaches at least the offset from which the member gets live messages.
    return feed.misses(member, page) ? log.read(feed.channel, request) : page
  }

  return {
    follow: async (channel: string, request: FollowRequest, listener: Listener): Promise<Following> => {
      const { user } = request
      const member = new FeedListener(listener)
      const { feed, confirmed } = enter(channel)
      try {
        await confirmed
        feed.join(member)
        const kept = await read(feed, member, request)
        refuseWhenClosed()
        const page = pageOf(channel, kept)
        if (kept.more) {
          leave(feed, member)
          exit(feed)
          return { page, start: () => {}, close: () => {} }
        }
        settle(feed, member, kept)
        if (user !== undefined) await presence.add(channel, user)
        refuseWhenClosed()
        size.followers++
        let open = true
        return {
          page,
          start: () => member.start(),
          close: () => {
            if (!open) return
            open = false
            if (closed) return
            size.followers--
            leave(feed, member)
            exit(feed)
            if (user !== undefined) presence.remove(channel, user)
          },
        }
      } catch (error) {
        leave(feed, member)
        exit(feed)
        throw error
      }
    },

    watchEnds: async (
      channel: string,
      onEnded: (sid: string | undefined, end: PersonEnd) => void,
    ): Promise<{ close(): void }> => {
      const { feed, confirmed } = enter(channel)
      // A new function, so that the same callback may watch twice.
      const listener = (end: PersonEnd) => onEnded(end.sid, end)
      feed.endListeners.add(listener)
      let open = true
      const close = () => {
        if (!open) return
        open = false
        feed.endListeners.delete(listener)
        exit(feed)
      }
      try {
        await confirmed
        return { close }
      } catch (error) {
        close()
        throw error
      }
    },

    size,

    close: (): void => {
      closed = true
      reconciler.close()
      subscriber.off('resubscribed', resync)
      for (const feed of feeds.values()) {
        for (const member of feed.members) leave(feed, member)
        subscriber.release(feed.pubsub, feed)
      }
      feeds.clear()
      size.followers = 0
    },
  }
}
