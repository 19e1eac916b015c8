import {
  type Inbox,
  type Page,
  type Position,
  type Presence,
  type Publication,
  type Published,
  type Result,
  userChannel,
} from '@saoma/protocol'
import type { RedisClients } from '@saoma/redis'
import { createEnds, type HowToEnd, type PersonEnd } from './ends.ts'
import type { ChannelsEvent } from './event.ts'
import { createFeeds } from './feeds.ts'
import type { Following, FollowRequest, Listener } from './follower.ts'
import { createListing, type ListPage, type ListRequest } from './listing.ts'
import { assertChannelName, type ChannelSummary, createLog, type Publishing, pageOf, type ReadRequest } from './log.ts'
import { createPresence } from './presence.ts'
import type { Retention } from './retention.ts'

export interface ChannelsOptions {
  /** This node's name in the cluster. Each instance adds a random part when it starts. */
  nodeId: string
  /** @default 1000 messages, 7 days */
  retention?: (channel: string) => Retention
  /** Channels that announce presence to their followers. @default none */
  announces?: (channel: string) => boolean
  /** Each followed channel is compared with Redis once in this time, in milliseconds. @default 30000 */
  checkMs?: number
  /** Milliseconds between two heartbeats of this node; it counts as dead after five. @default 1000 */
  beatMs?: number
  /** Called for background events, for metrics and the log. */
  onEvent?: (event: ChannelsEvent) => void
}

/**
 * Durable channels in Redis; SPEC.md holds the rules. Outcomes that a caller can cause are results. Every
 * call rejects with RedisUnavailable when Redis is unavailable. A `publish` may then still have happened, so
 * retry it with an idempotency key.
 */
export interface Channels {
  /**
   * Refused with KEY_REUSED when the same publisher has used the idempotency key for another message, and
   * with any failure of `mayBegin`.
   */
  publish(publication: Publication & Publishing): Promise<Result<Published>>
  /**
   * Reads one page after `since`, or the newest `history` messages. A page ends at 300 messages or 256 KiB,
   * with at least one message; `limit` and `mostBytes` make it shorter. Nothing is followed.
   */
  read(channel: string, request?: ReadRequest): Promise<Page>
  /**
   * Reads a page and follows the channel from there: no message is lost, repeated or out of order in between.
   * If the page has `more`, nothing is followed and `start` does nothing: follow again from the page's
   * position.
   */
  follow(channel: string, request: FollowRequest, listener: Listener): Promise<Following>
  /**
   * Reads forward from a position, whatever happened to the log since: what was trimmed is passed over, and
   * after a loss of the log the page begins with the oldest message that is left. Without `since` it begins
   * behind the offset `after`, or with the oldest message. `undefined` is a channel that never had one.
   * Bounded like `read`.
   */
  browse(channel: string, request: { since?: Position; after?: number; limit: number }): Promise<Page | undefined>
  /** What there is of a channel. It begins nothing. */
  summary(channel: string): Promise<ChannelSummary>
  /** Bytes of a channel's log in Redis. Undefined if Redis does not say. */
  memory(channel: string): Promise<number | undefined>
  /** A page of the list of channels. See `createListing`. */
  list(request: ListRequest): Promise<ListPage>
  /** Deletes all messages up to and including `offset`. Resolves with the number of deleted messages. */
  trim(channel: string, offset: number): Promise<number>
  presence(channel: string): Promise<Presence>
  /** Inbox of a `user:` channel. */
  inbox(channel: string): Promise<Inbox>
  /**
   * Moves the read position of a `user:` channel forward, never back and never past the newest message.
   * Notifies the person's other devices.
   */
  markRead(channel: string, offset: number): Promise<Inbox>

  /**
   * Reports ended sessions of a person until closed: `onEnded(sid, end)` for one session,
   * `onEnded(undefined, end)` for all, or for all but `end.keep`. `end` has what was given to `end` below. An
   * end may be reported twice. Resolves when no further end can be missed. For ends that a lost subscription
   * missed, see event `resubscribed` of `RedisClients.subscriber`.
   */
  watchEnds(user: string, onEnded: (sid: string | undefined, end: PersonEnd) => void): Promise<{ close(): void }>
  /** The Redis pub/sub channel that reports these ends. */
  heardOn(user: string): string
  /**
   * Announces to every node that a session of a person has ended; without `sid`, all sessions, or all but
   * `how.keep`. `code` and `reason` are told to the clients. `lastEnd` tells it for `how.keepMs`, which is an
   * hour unless it says more.
   */
  end(user: string, sid?: string, how?: HowToEnd): Promise<void>
  /**
   * An id of the last end of that session, or of all sessions. It changes with the next end and is empty when
   * none is remembered. Compare it to detect an end whose announcement was missed. `endOf` reads its time.
   */
  lastEnd(user: string, sid?: string): Promise<string>

  /** Number of channels that this node follows, and of their followers. */
  readonly size: { channels: number; followers: number }
  /** Removes this node's presence and stops its timers. */
  close(): Promise<void>
}

const DEFAULT_RETENTION: Retention = { messages: 1_000, ms: 7 * 86_400_000 }

export const createChannels = (redis: RedisClients, options: ChannelsOptions): Channels => {
  const {
    nodeId,
    retention = () => DEFAULT_RETENTION,
    announces = () => false,
    checkMs = 30_000,
    beatMs = 1_000,
    onEvent = () => {},
  } = options
  const log = createLog(redis, retention)
  const ends = createEnds(redis)
  const presence = createPresence(redis, { nodeId, beatMs, announces, onEvent })
  const feeds = createFeeds(redis, log, presence, { checkMs, onEvent })

  return {
    publish: log.publish,
    read: async (channel, request) => pageOf(channel, await log.read(channel, request)),
    browse: async (channel, { since, after = 0, limit }) => {
      const newest = since ?? (await log.summary(channel))
      const { epoch } = newest
      if (epoch === undefined) return undefined
      // A position above the newest message would be taken for a loss of the log.
      const offset = since?.offset ?? Math.min(after, newest.offset)
      const page = await log.resume(channel, { epoch, offset }, limit)
      return pageOf(channel, page)
    },
    summary: log.summary,
    memory: log.memory,
    list: createListing(redis, log.summary),
    follow: feeds.follow,
    trim: log.trim,
    presence: presence.read,
    inbox: log.inbox,
    markRead: log.markRead,
    watchEnds: (user, onEnded) => feeds.watchEnds(userChannel(user), onEnded),
    heardOn: (user) => redis.keys.channelPubsub(assertChannelName(userChannel(user))),
    end: ends.end,
    lastEnd: ends.lastEnd,
    size: feeds.size,
    close: async () => {
      feeds.close()
      await presence.close()
    },
  }
}
