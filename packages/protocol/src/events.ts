import type {
  Inbox,
  Message,
  Presence,
  PresenceChange,
  Publication,
  Published,
  Subscribed,
  SubscribeRequest,
  VolatileMessage,
} from './channel.ts'
import type { Code, Reaction } from './codes.ts'
import type { TicketState } from './ticket.ts'

/** A refused ack. `message` is the English sentence of the code table. */
export interface Refusal {
  ok: false
  code: Code
  message: string
  react: Reaction
  /** Seconds after which the same call may succeed, if known. */
  retryAfter?: number
}

/** The ack of every event that expects an answer. */
export type Ack<T extends object> = (answer: ({ ok: true } & T) | Refusal) => void

/** Why the server ended a session or a connection. */
export interface EndNotice {
  /** TOKEN_EXPIRED; REVOKED: somebody ended the session; REPLACED: another login took its place. */
  code: Code
  /** A sentence for the person, by whoever ended it. Show it as text. */
  reason?: string
}

/** Socket.IO namespace `/login`, browser to server. */
export interface LoginClientEvents {
  /**
   * Follows a ticket. The ack is sent after the node has subscribed, so no later transition can be missed.
   */
  watch: (request: { deviceCode: string }, ack: Ack<{ state: TicketState }>) => void
}

/** Socket.IO namespace `/login`, server to browser. */
export interface LoginServerEvents {
  /** A transition. The same version may arrive twice: ignore versions not above the last one. */
  ticket: (state: TicketState) => void
  /** The node is shutting down: reconnect after this many milliseconds (each client gets its own number). */
  drain: (notice: { resumeAfterMs: number }) => void
}

/**
 * Socket.IO namespace `/` (channels), client to server. The handshake's `auth` is `{ token }`, with `dpop`
 * for a token that is bound to a key.
 */
export interface LiveClientEvents {
  /**
   * Follows a channel. The ack is sent after the node has subscribed and has read the log, so no message is
   * lost or doubled in between.
   */
  subscribe: (request: SubscribeRequest, ack: Ack<Subscribed>) => void
  unsubscribe: (request: { channel: string }, ack: Ack<object>) => void
  publish: (message: Publication, ack: Ack<Published>) => void
  presence: (request: { channel: string }, ack: Ack<Presence>) => void
  /** Marks everything up to `offset` of the person's own channel as read. The position never moves back. */
  read: (request: { channel: string; offset: number }, ack: Ack<Inbox>) => void
  /**
   * Sends a newer token of the same person before the present one expires, with the proof of its key if it is
   * bound to one.
   */
  refresh: (request: { token: string; dpop?: string | undefined }, ack: Ack<{ expiresIn: number }>) => void
}

/** Socket.IO namespace `/` (channels), server to client. */
export interface LiveServerEvents {
  /**
   * Messages of one channel arrive in the order of their offsets. A gap means that a message was lost:
   * subscribe again with the last position.
   */
  message: (message: Message) => void
  volatile: (message: VolatileMessage) => void
  presence: (change: PresenceChange) => void
  /** Another device of the same person has read messages. */
  inbox: (inbox: Inbox & { channel: string }) => void
  /** The token expires in `expiresIn` seconds: send a `refresh`. */
  expiring: (notice: { expiresIn: number }) => void
  /** The server closes this socket for good. */
  ended: (notice: EndNotice) => void
  /** The node is shutting down: reconnect after this many milliseconds (each client gets its own number). */
  drain: (notice: { resumeAfterMs: number }) => void
}

/** The namespace of waiting browsers. */
export const LOGIN_NAMESPACE = '/login'

/**
 * Query of a connection that uses only the namespace `/login`: such a WebSocket costs a node a third of the
 * memory. In Socket.IO's own client, set it as the option `query`, together with `forceNew`.
 */
export const LOGIN_ONLY = { only: 'login' } as const

/** The same for a connection that uses only the root namespace, where the channels are. */
export const LIVE_ONLY = { only: 'live' } as const
