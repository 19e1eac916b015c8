import type { Inbox, Page, Position, PresenceChange } from '@saoma/protocol'
import type { LogEntry } from './log-entry.ts'

/** What is passed on without being kept. */
export type Signal =
  /** `json` is a VolatileMessage. */
  | { kind: 'volatile'; json: string }
  | { kind: 'presence'; change: PresenceChange }
  | { kind: 'inbox'; channel: string; inbox: Inbox }

/** A follower of a channel on this node. Its methods must not throw. */
export interface Listener {
  /**
   * Consecutive messages, oldest first, each once, all after those before. All listeners that get the whole
   * batch share the same array, so work on it (encoding) can be cached.
   */
  messages(batch: readonly LogEntry[]): void
  signal(signal: Signal): void
}

export interface FollowRequest {
  since?: Position | null
  /** Number of newest messages to begin with when there is no `since`. */
  history?: number
  /** Present under this id until it closes; without an id it is not counted. */
  user?: string
}

export interface Following {
  readonly page: Page
  /**
   * Hands over what arrived since the page was read, then goes on live. Call it once, after sending the page.
   */
  start(): void
  /** Stops following. Safe at any time, also twice. */
  close(): void
}
