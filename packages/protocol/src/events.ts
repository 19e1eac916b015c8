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
  /** Seconds after which the same call may succeed, where that is known. */
  retryAfter?: number
}

/** Every event that expects an answer gets one of these. */
export type Ack<T extends object> = (answer: ({ ok: true } & T) | Refusal) => void

/** Socket.IO namespace `/login`, browser to server. */
export interface LoginClientEvents {
  /** Follow a ticket. The ack is sent after the node is subscribed, so no later transition can be missed. */
  watch: (request: { deviceCode: string }, ack: Ack<{ state: TicketState }>) => void
}

/** Socket.IO namespace `/login`, server to browser. */
export interface LoginServerEvents {
  /** A transition. The same version may come twice; drop versions not above the last one seen. */
  ticket: (state: TicketState) => void
  /** The node is going away: reconnect after this many milliseconds (each client gets its own number). */
  drain: (notice: { resumeAfterMs: number }) => void
}

/** Socket.IO namespace `/` (channels), client to server. The handshake's `auth` is `{ token }`. */
export interface LiveClientEvents {
  /**
   * Follow a channel. The ack is sent after the node is subscribed and has read the log: nothing is lost or
   * doubled in between.
   */
  subscribe: (request: SubscribeRequest, ack: Ack<Subscribed>) => void
  unsubscribe: (request: { channel: string }, ack: Ack<object>) => void
  publish: (message: Publication, ack: Ack<Published>) => void
  presence: (request: { channel: string }, ack: Ack<Presence>) => void
  /** Everything up to `offset` of one's own channel has been read. Never goes back. */
  read: (request: { channel: string; offset: number }, ack: Ack<Inbox>) => void
  /** A newer token of the same person, before the present one ends. */
  refresh: (request: { token: string }, ack: Ack<{ expiresIn: number }>) => void
}

/** Socket.IO namespace `/` (channels), server to client. */
export interface LiveServerEvents {
  /**
   * Messages of one channel come in the order of their offsets. A gap means that something was lost:
   * subscribe again with the last position.
   */
  message: (message: Message) => void
  volatile: (message: VolatileMessage) => void
  presence: (change: PresenceChange) => void
  /** Another device of the same person has read something. */
  inbox: (inbox: Inbox & { channel: string }) => void
  /** The token ends in `expiresIn` seconds: send a `refresh`. */
  expiring: (notice: { expiresIn: number }) => void
  /** The server closes this socket for good: TOKEN_EXPIRED or REVOKED. */
  ended: (notice: { code: Code }) => void
  /** The node is going away: reconnect after this many milliseconds (each client gets its own number). */
  drain: (notice: { resumeAfterMs: number }) => void
}

/** Name of the namespace that browsers wait in. */
export const LOGIN_NAMESPACE = '/login'

/**
 * In the address of a connection that uses the namespace `/login` and no other: as a WebSocket it costs a
 * node a third of the memory. Socket.IO's own client takes it as its option `query`, together with
 * `forceNew`.
 */
export const LOGIN_ONLY = { only: 'login' } as const
