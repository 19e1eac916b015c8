import type { Away, RedisClients } from '@saoma/redis'
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
 * The channels that are followed on this node: one subscription and one place in the log for all who follow
 * the same.
 */
export const createFeeds = (
  redis: RedisClients,
  log: Log,
  presence: PresenceCounts,
  { checkMs, onEvent }: FeedsOptions,
) => {
  const { subscriber, keys } = redis
  /** By Redis channel. */
  const feeds = new Map<string, Feed>()
  const size = { channels: 0, followers: 0 }
  let closed = false
  let scheduled: Feed[] = []

  const flush = () => {
    const due = scheduled
    scheduled = []
    for (const feed of due) feed.flush()
  }
  // ioredis says all messages of one read of the connection in one go, so a microtask comes behind the last
  // of them.
  const schedule = (feed: Feed) => {
    if (scheduled.push(feed) === 1) queueMicrotask(flush)
  }
  const context = { log, schedule, onEvent }

  const checks = createReconciler({
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
    for (const live of away.keys()) {
      const feed = feeds.get(live)
      if (!feed || feed.members.size === 0) continue
      // One that has no position yet is checked as soon as it has.
      feed.doubt()
      missed.push(feed)
    }
    checks.resync(missed)
  }
  subscriber.on('resubscribed', resync)

  const refuseWhenClosed = () => {
    if (closed) throw new Error('the channels of this node are closed')
  }

  /**
   * Uses the channel's feed; `confirmed` settles as its subscription does. To be followed by `exit`, whatever
   * happens.
   */
  const enter = (channel: string): { feed: Feed; confirmed: Promise<void> } => {
    refuseWhenClosed()
    const live = keys.channelLive(assertChannelName(channel))
    const known = feeds.get(live)
    if (known) {
      known.users++
      return { feed: known, confirmed: subscriber.confirmed(live) }
    }
    const feed = new Feed(channel, live, context)
    feed.users++
    feeds.set(live, feed)
    return { feed, confirmed: subscriber.hold(live, feed) }
  }

  const exit = (feed: Feed) => {
    if (--feed.users > 0 || closed) return
    feeds.delete(feed.live)
    subscriber.release(feed.live, feed)
  }

  const leave = (feed: Feed, member: FeedListener) => {
    if (feed.leave(member)) {
      size.channels--
      checks.delete(feed)
    }
  }

  const settle = (feed: Feed, member: FeedListener, page: LogPage) => {
    if (!feed.settle(member, page)) return
    size.channels++
    checks.add(feed)
  }

  const read = async (feed: Feed, member: FeedListener, request: FollowRequest): Promise<LogPage> => {
    const page = await log.read(feed.channel, request)
    // A page read from now on comes at least to where the member was told of everything.
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

    attend: async (channel: string, onEnded: (sid: string | undefined) => void): Promise<{ close(): void }> => {
      const { feed, confirmed } = enter(channel)
      // A function of its own, so that the same one may attend twice.
      const attendant = (sid: string | undefined) => onEnded(sid)
      feed.attendants.add(attendant)
      let open = true
      const close = () => {
        if (!open) return
        open = false
        feed.attendants.delete(attendant)
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
      checks.close()
      subscriber.off('resubscribed', resync)
      for (const feed of feeds.values()) {
        for (const member of feed.members) leave(feed, member)
        subscriber.release(feed.live, feed)
      }
      feeds.clear()
      size.followers = 0
    },
  }
}
