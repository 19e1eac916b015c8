/**
 * A channel is a room with a memory: `user:<id>` is a person's own, `room:<name>` is shared. Every message
 * that is kept has an offset, counted from 1 without gaps, inside an epoch that names the log. A log that was
 * lost begins again under another epoch.
 */
export const channelPattern: RegExp = /^(?:user|room):[A-Za-z0-9_.:@~-]{1,128}$/

/** How clients write their own channel. */
export const OWN_CHANNEL = '@user'

/** The channel of a person. */
export const userChannel = (user: string): string => `user:${user}`

/** The person behind a `user:` channel; undefined for a room. */
export const userOf = (channel: string): string | undefined =>
  channel.startsWith('user:') ? channel.slice(5) : undefined

/** Where a reader stands: everything up to and including `offset` is known. */
export interface Position {
  epoch: string
  offset: number
}

/**
 * The epoch of a channel in which nothing was published yet: the word and the moment at which it was empty.
 * It has no messages.
 */
const EMPTY = /^none-\d+$/
export const isEmptyEpoch = (epoch: string): boolean => EMPTY.test(epoch)

/**
 * Whether a message is the very next after a position: by its number, or as the first of a channel that was
 * empty.
 */
export const isNext = (position: Position, { epoch, offset }: Position): boolean =>
  position.epoch === epoch ? offset === position.offset + 1 : isEmptyEpoch(position.epoch) && offset === 1

/** One kept message. */
export interface Message extends Position {
  channel: string
  event: string
  data: unknown
  /** The client that published it, by the id in its token; absent when a backend did. Set by the server. */
  from?: string
  /** Milliseconds since 1970, by Redis's clock. */
  time: number
}

/** A message that is not kept and may be lost: typing, a pointer, a progress bar. */
export type VolatileMessage = Omit<Message, keyof Position>

/** What a publisher sends. */
export interface Publication {
  channel: string
  event: string
  /** Any JSON. */
  data: unknown
  /**
   * The same key with the same message gives the first answer again, for ten minutes; with another message it
   * is refused.
   */
  idempotencyKey?: string
  /** Not kept, no offset, may be lost. */
  volatile?: boolean
}

/** Answer to a publication. A volatile one has no position. */
export interface Published {
  epoch?: string
  offset?: number
  /** Connections that followed the channel at that moment, in the whole cluster. */
  connections: number
  /** The idempotency key was known: nothing was published now. */
  repeated?: true
}

export interface SubscribeRequest {
  channel: string
  /** Continue after this position. Without one only what comes from now on is told. */
  since?: Position | null
  /** Without `since`: begin with this many of the newest messages. At most 100. */
  history?: number
}

/**
 * Why a reader could not be given everything after its position: the log was lost, or no longer reaches back
 * so far.
 */
export type LossReason = 'epoch' | 'trimmed'

/** One read of a log. */
export interface Page extends Position {
  /** The channel's full name, also when it was asked for as `@user`. */
  channel: string
  /** Everything after `since` is here (or, with `more`, on the pages that follow). Never partly. */
  recovered: boolean
  /** Set when `since` was given and could not be honoured. */
  reason?: LossReason
  /** Oldest first. `epoch` and `offset` of the page are where the reader stands after them. */
  messages: Message[]
  /** There is more: ask again from here. Until then nothing is followed. */
  more?: true
}

/** A person's own channel as seen from a bell. */
export interface Inbox {
  /** Offset up to which everything has been read. */
  read: number
  /** Messages after it that are still kept. */
  unread: number
}

/** Ack of `subscribe`: a page, and with it what else a channel's beginning is good for. */
export interface Subscribed extends Page {
  /** For `user:` channels. */
  inbox?: Inbox
}

/** Who follows a channel, over all nodes. */
export interface Presence {
  channel: string
  /** Ids of people, at most 1000 of them. */
  users: string[]
  /** How many people. */
  count: number
  /** How many connections: one person may have several. */
  connections: number
}

/** Somebody's first connection came or last one left. */
export interface PresenceChange {
  channel: string
  event: 'join' | 'leave'
  user: string
  /** How many people are left or there now. */
  count: number
}
