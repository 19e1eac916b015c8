import {
  type Inbox,
  type Page,
  type Position,
  type Presence,
  type PresenceChange,
  type Publication,
  type Published,
  type Result,
  userChannel,
} from '@saoma/protocol'
import type { RedisClients } from '@saoma/redis'
import { createFeeds } from './feeds.ts'
import type { Kept } from './kept.ts'
import { createLog, pageOf } from './log.ts'
import { createPresence } from './presence.ts'

/** How much of a channel is remembered. */
export interface Retention {
  /** Newest messages kept. */
  messages: number
  /** Milliseconds a message is kept. */
  ms: number
}

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

export type ChannelsEvent =
  /** Pub/sub had lost messages and the log made them good. */
  | { kind: 'refilled'; channel: string; messages: number }
  /** The log no longer had what was lost: followers see a gap and are told when they ask. */
  | { kind: 'lost'; channel: string }
  /** All channels were compared with Redis after its connection came back. */
  | { kind: 'resynced'; channels: number }
  /** The presence of a dead node was taken away. */
  | { kind: 'swept'; node: string; channels: number }
  /** Something in the background failed and will be tried again. */
  | { kind: 'error'; error: unknown }

/** What is passed on without being kept. */
export type Signal =
  /** `json` is a VolatileMessage. */
  | { kind: 'volatile'; json: string }
  | { kind: 'presence'; change: PresenceChange }
  | { kind: 'inbox'; channel: string; inbox: Inbox }

/** Who follows a channel on this node. Neither method may throw. */
export interface Listener {
  /**
   * Consecutive messages, oldest first, each once, all after what the listener had before. The same array is handed to every listener
   * that gets all of it, so that work done for one (encoding) can be kept for the others.
   */
  messages(batch: readonly Kept[]): void
  signal(signal: Signal): void
}

export interface ReadRequest {
  since?: Position | null
  /** Newest messages to begin with when there is no `since`. */
  history?: number
  /** Most messages. */
  limit?: number
  /** Most bytes of messages, but at least one message. */
  mostBytes?: number
}

export interface FollowRequest {
  since?: Position | null
  /** Newest messages to begin with when there is no `since`. */
  history?: number
  /** Counted as present under this id until it closes; without one it is not counted. */
  user?: string
}

export interface Following {
  readonly page: Page
  /** Hands over what came since the page was read, and goes on live. Call it once, after the page has been sent. */
  start(): void
  /** Lets go. Safe at any time, also twice. */
  close(): void
}

/**
 * Durable channels in Redis; SPEC.md holds the rules. Outcomes that a caller can cause are results. Every call rejects with
 * RedisUnavailable when Redis cannot be asked; a `publish` may still have been done then, so repeat it with an idempotency key.
 */
export interface Channels {
  /**
   * KEY_REUSED when the idempotency key belongs to another message of the same publisher. `from` is who says so, set by the caller and
   * not by the client.
   */
  publish(publication: Publication & { from?: string }): Promise<Result<Published>>
  /**
   * One page after `since`, or the newest `history` messages. Pages end at 300 messages or 256 KiB (at least one message); `limit`
   * and `mostBytes` make them shorter. Nothing is followed.
   */
  read(channel: string, request?: ReadRequest): Promise<Page>
  /**
   * Reads a page and follows the channel from there on: nothing is lost, doubled or out of order between the two. When the page has
   * `more`, nothing is followed and `start` does nothing: follow again from its position.
   */
  follow(channel: string, request: FollowRequest, listener: Listener): Promise<Following>
  /** Forgets all messages up to and including `offset`. Resolves with the number of messages forgotten. */
  trim(channel: string, offset: number): Promise<number>
  presence(channel: string): Promise<Presence>
  /** Of a `user:` channel. */
  inbox(channel: string): Promise<Inbox>
  /** Moves the read position of a `user:` channel forward (never back, never past the newest message) and tells the person's other devices. */
  markRead(channel: string, offset: number): Promise<Inbox>

  /**
   * Hears of the end of a person's sessions until closed: `onEnded(sid)` for one, `onEnded(undefined)` for all. Resolves when no end can be
   * missed any more (see `RedisClients.subscriber`, event `resubscribed`, for when one may have been).
   */
  attend(user: string, onEnded: (sid: string | undefined) => void): Promise<{ close(): void }>
  /** Tells every node that a session of a person has ended; without `sid`, all of them. */
  end(user: string, sid?: string): Promise<void>
  /**
   * A word for the last end of that session or of all, which changes with the next one; empty when there was none in the last hour. For
   * whoever may have missed being told.
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
    attend: (user, onEnded) => feeds.attend(userChannel(user), onEnded),
    end: (user, sid) => log.end(userChannel(user), sid),
    lastEnd: (user, sid) => log.lastEnd(userChannel(user), sid),
    size: feeds.size,
    close: async () => {
      feeds.close()
      await presence.close()
    },
  }
}
