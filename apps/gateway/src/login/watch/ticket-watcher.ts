import type { TicketState } from '@saoma/protocol'

/** A browser that waits for its login, whichever door it came through, and what a node keeps of its watch. */
export interface TicketWatcher {
  /** Its socket's, for the log. */
  readonly id: string
  /** While it may be told something. */
  readonly isOpen: boolean
  deviceCode: string | undefined
  /** Whether a `watch` of it is being answered. */
  watching: boolean
  /** Of the ticket, as far as it was told. */
  version: number
  /**
   * By `now()` of clock.ts: when the status it was told of expires, or when one that follows nothing is
   * closed.
   */
  dueAt: number
  /**
   * Resolves once no transition of the ticket can be missed any more; of each it is told from then on.
   * Rejects with RedisUnavailable.
   */
  follow(ticket: string): Promise<void>
  unfollow(ticket: string): void | Promise<void>
  tell(state: TicketState): void
  /** Says that it is over, and closes the connection. */
  dismiss(): void
}
