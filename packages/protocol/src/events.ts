import type { Code, Reaction } from './codes.ts'
import type { TicketState } from './ticket.ts'

/** A refused ack. `message` is the English sentence of the code table. */
export interface Refusal {
  ok: false
  code: Code
  message: string
  react: Reaction
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

/** Name of the namespace that browsers wait in. */
export const LOGIN_NAMESPACE = '/login'
