import type { TicketState } from '@saoma/protocol'

/** A browser that waits for its login, on any door, and the state of its watch. */
export interface TicketWatcher {
  /** Id of its socket, for the log. */
  readonly id: string
  /** Whether it can receive events. */
  readonly isOpen: boolean
  deviceCode: string | undefined
  /** Whether a `watch` is in progress. */
  watching: boolean
  /** The newest version of the ticket that it was told. */
  version: number
  /**
   * By `now()` of clock.ts: when its known status expires, or when a browser that watches nothing is closed.
   */
  dueAt: number
  /**
   * Resolves once no transition of the ticket can be missed. From then on it receives each one. Rejects with
   * RedisUnavailable.
   */
  follow(ticket: string): Promise<void>
  unfollow(ticket: string): void | Promise<void>
  tell(state: TicketState): void
  /** Disconnects it for good, and closes the connection. */
  dismiss(): void
}
