import type { Inbox, Page, Position, PresenceChange } from '@saoma/protocol'
import type { LogEntry } from './log-entry.ts'

/** What is passed on without being kept. */
export type Signal =
  /** `json` is a VolatileMessage. */
  | { kind: 'volatile'; json: string }
  | { kind: 'presence'; change: PresenceChange }
  | { kind: 'inbox'; channel: string; inbox: Inbox }

/** Who follows a channel on this node. Neither method may throw. */
export interface Listener {
  /**
   * Consecutive messages, oldest first, each once, all after what the listener had before. The same array is
   * handed to every listener that gets all of it, so that work done for one (encoding) can be kept for the
   * others.
   */
  messages(batch: readonly LogEntry[]): void
  signal(signal: Signal): void
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
  /**
   * Hands over what came since the page was read, and goes on live. Call it once, after the page has been
   * sent.
   */
  start(): void
  /** Lets go. Safe at any time, also twice. */
  close(): void
}
