/**
 * A channel is a room with a log: `user:<id>` belongs to one person, `room:<name>` is shared. Every kept
 * message has an offset, counted from 1 without gaps, within an epoch that names the log. A log that was lost
 * starts again with another epoch.
 */
export const channelPattern: RegExp = /^(?:user|room):[A-Za-z0-9_.:@~-]{1,128}$/

/** A client's name for its own channel. */
export const OWN_CHANNEL = '@user'

/**
 * The name of a person's own channel. The person's id is not examined.
 *
 * @example
 * ```ts
 * import { userChannel } from '@saoma/protocol'
 *
 * console.log(userChannel('V1StGXR8')) // -> user:V1StGXR8
 * ```
 */
export const userChannel = (user: string): string => `user:${user}`

/**
 * The id of the person whose channel this is; undefined for a room.
 *
 * @example
 * ```ts
 * import { userOf } from '@saoma/protocol'
 *
 * console.log(userOf('user:V1StGXR8')) // -> V1StGXR8
 * console.log(userOf('room:lobby')) // -> undefined
 * ```
 */
export const userOf = (channel: string): string | undefined =>
  channel.startsWith('user:') ? channel.slice(5) : undefined

/** A reader's position: it knows everything up to and including `offset`. */
export interface Position {
  epoch: string
  offset: number
}

/** The epoch of a channel without any message: this word and the time at which it was empty. */
const EMPTY = /^none-\d+$/
/**
 * Whether this is the epoch of a channel that never had a message.
 *
 * @example
 * ```ts
 * import { isEmptyEpoch } from '@saoma/protocol'
 *
 * console.log(isEmptyEpoch('none-1790000000000')) // -> true
 * console.log(isEmptyEpoch('Zk3')) // -> false
 * ```
 */
export const isEmptyEpoch = (epoch: string): boolean => EMPTY.test(epoch)

/**
 * Whether a message directly follows a position: it has the next offset, or is the first one of an empty
 * channel.
 *
 * @example
 * ```ts
 * import { isNext } from '@saoma/protocol'
 *
 * const position = { epoch: 'Zk3', offset: 7 }
 * console.log(isNext(position, { epoch: 'Zk3', offset: 8 })) // -> true
 * console.log(isNext(position, { epoch: 'Zk3', offset: 9 })) // -> false
 * ```
 */
export const isNext = (position: Position, { epoch, offset }: Position): boolean =>
  position.epoch === epoch ? offset === position.offset + 1 : isEmptyEpoch(position.epoch) && offset === 1

/** A kept message. */
export interface Message extends Position {
  channel: string
  event: string
  data: unknown
  /**
   * The id of the client that published it, from its token. Absent when a backend published it. Set by the
   * server.
   */
  from?: string
  /** Milliseconds since 1970, by Redis's clock. */
  time: number
}

/** A message that is not kept and may be lost, such as typing, a pointer or a progress bar. */
export type VolatileMessage = Omit<Message, keyof Position>

/** A message to publish. */
export interface Publication {
  channel: string
  event: string
  /** Any JSON. */
  data: unknown
  /**
   * Idempotency key. For ten minutes, the same key with the same message gets the first answer again; with
   * another message it is refused.
   */
  idempotencyKey?: string
  /** Not kept, no offset, may be lost. */
  volatile?: boolean
}

/** Answer to a publication. A volatile message has no position. */
export interface Published {
  epoch?: string
  offset?: number
  /** Connections that followed the channel at that time, in the whole cluster. */
  connections: number
  /** The idempotency key was known: nothing was published this time. */
  repeated?: true
}

/** What a client sends to follow a channel. */
export interface SubscribeRequest {
  channel: string
  /** Continue after this position. Without it, only later messages are sent. */
  since?: Position | null
  /** Without `since`: begin with this many of the newest messages. At most 100. */
  history?: number
}

/**
 * Why a reader cannot get everything after its position: the log was lost (`epoch`), or no longer reaches
 * back so far (`trimmed`).
 */
export type LossReason = 'epoch' | 'trimmed'

/** One page of a log. */
export interface Page extends Position {
  /** The channel's full name, even if it was requested as `@user`. */
  channel: string
  /** Whether everything after `since` is here or, with `more`, on the following pages. Never partly true. */
  recovered: boolean
  /** Set if `since` could not be honoured. */
  reason?: LossReason
  /** Oldest first. The page's `epoch` and `offset` are the reader's position after them. */
  messages: Message[]
  /** There are more messages: read again from this position. Until then the channel is not followed. */
  more?: true
}

/** The inbox of a person's own channel. */
export interface Inbox {
  /** Everything up to this offset has been read. */
  read: number
  /** Number of kept messages after it. */
  unread: number
}

/** Ack of `subscribe`: a page, and the inbox for a person's own channel. */
export interface Subscribed extends Page {
  /** For `user:` channels. */
  inbox?: Inbox
}

/** Who follows a channel, over all nodes. */
export interface Presence {
  channel: string
  /** Ids of people, at most 1000. */
  users: string[]
  /** Number of people. */
  count: number
  /** Number of connections: a person may have several. */
  connections: number
}

/** A person's first connection came, or the last one left. */
export interface PresenceChange {
  channel: string
  event: 'join' | 'leave'
  user: string
  /** Number of people now. */
  count: number
}
