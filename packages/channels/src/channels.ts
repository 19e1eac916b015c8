import {
  type Inbox,
  type Page,
  type Presence,
  type Publication,
  type Published,
  type Result,
  userChannel,
} from '@saoma/protocol'
import type { RedisClients } from '@saoma/redis'
import type { ChannelsEvent } from './event.ts'
import { createFeeds } from './feeds.ts'
import type { Following, FollowRequest, Listener } from './follower.ts'
import { assertChannelName, createLog, type Publishing, pageOf, type ReadRequest } from './log.ts'
import { createPresence } from './presence.ts'
import type { Retention } from './retention.ts'

export interface ChannelsOptions {
  /** This node, as other nodes see it. An instance gets a name of its own each time it starts. */
  nodeId: string
  /** @default 1000 messages, 7 days */
  retention?: (channel: string) => Retention
  /** Channels that tell their followers who comes and goes. @default none */
  announces?: (channel: string) => boolean
  /** Milliseconds in which every followed channel is compared with Redis once. @default 30000 */
  checkMs?: number
  /** Milliseconds between two signs of life of this node; it counts as dead after five. @default 1000 */
  beatMs?: number
  /** Told of what happens, for metrics and the log. */
  onEvent?: (event: ChannelsEvent) => void
}

/**
 * Durable channels in Redis; SPEC.md holds the rules. Outcomes that a caller can cause are results. Every
 * call rejects with RedisUnavailable when Redis cannot be asked; a `publish` may still have been done then,
 * so repeat it with an idempotency key.
 */
export interface Channels {
  /**
   * KEY_REUSED when the idempotency key belongs to another message of the same publisher; and whatever
   * `mayBegin` refuses with.
   */
  publish(publication: Publication & Publishing): Promise<Result<Published>>
  /**
   * One page after `since`, or the newest `history` messages. Pages end at 300 messages or 256 KiB (at least
   * one message); `limit` and `mostBytes` make them shorter. Nothing is followed.
   */
  read(channel: string, request?: ReadRequest): Promise<Page>
  /**
   * Reads a page and follows the channel from there on: nothing is lost, doubled or out of order between the
   * two. When the page has `more`, nothing is followed and `start` does nothing: follow again from its
   * position.
   */
  follow(channel: string, request: FollowRequest, listener: Listener): Promise<Following>
  /** Forgets all messages up to and including `offset`. Resolves with the number of messages forgotten. */
  trim(channel: string, offset: number): Promise<number>
  presence(channel: string): Promise<Presence>
  /** Of a `user:` channel. */
  inbox(channel: string): Promise<Inbox>
  /**
   * Moves the read position of a `user:` channel forward (never back, never past the newest message) and
   * tells the person's other devices.
   */
  markRead(channel: string, offset: number): Promise<Inbox>

  /**
   * Hears of the end of a person's sessions until closed: `onEnded(sid)` for one, `onEnded(undefined)` for
   * all. Resolves when no end can be missed any more (see `RedisClients.subscriber`, event `resubscribed`,
   * for when one may have been).
   */
  watchEnds(user: string, onEnded: (sid: string | undefined) => void): Promise<{ close(): void }>
  /** The Redis channel on which that is heard. */
  heardOn(user: string): string
  /** Tells every node that a session of a person has ended; without `sid`, all of them. */
  end(user: string, sid?: string): Promise<void>
  /**
   * A word for the last end of that session or of all, which changes with the next one; empty when there was
   * none in the last hour. For whoever may have missed being told.
   */
  lastEnd(user: string, sid?: string): Promise<string>

  /** Channels followed on this node, and listeners of them. */
  readonly size: { channels: number; followers: number }
  /** Takes this node's presence away and stops its timers. */
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
  const presence = createPresence(redis, { nodeId, beatMs, announces, onEvent })
  const feeds = createFeeds(redis, log, presence, { checkMs, onEvent })

  return {
    publish: log.publish,
    read: async (channel, request) => pageOf(channel, await log.read(channel, request)),
    follow: feeds.follow,
    trim: log.trim,
    presence: presence.read,
    inbox: log.inbox,
    markRead: log.markRead,
    watchEnds: (user, onEnded) => feeds.watchEnds(userChannel(user), onEnded),
    heardOn: (user) => redis.keys.channelPubsub(assertChannelName(userChannel(user))),
    end: (user, sid) => log.end(userChannel(user), sid),
    lastEnd: (user, sid) => log.lastEnd(userChannel(user), sid),
    size: feeds.size,
    close: async () => {
      feeds.close()
      await presence.close()
    },
  }
}
