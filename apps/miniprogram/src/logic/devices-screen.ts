import type { SessionEntry } from '@saoma/protocol'

/** `ending`: a logout was sent, and its result is unknown. */
export interface Device extends SessionEntry {
  ending: boolean
}

/**
 * The person's logins, as the server last reported them. `error` is a code that `sayCode` puts into words.
 */
export type DevicesScreen =
  | { status: 'loading' }
  | { status: 'failed'; code: string }
  | { status: 'listed'; devices: readonly Device[]; refreshing: boolean; endingAll: boolean; error?: string }

export interface DevicesPage {
  readonly screen: DevicesScreen
  /** Reads the list again, for the pull-down gesture. Resolves when the answer is shown. */
  refresh(): Promise<void>
  /** Logs out that session. */
  end(sid: string): Promise<void>
  /** The person says of that login: this was not me. It ends, and the company can read of it. */
  report(sid: string): Promise<void>
  /** Logs out all sessions. */
  endAll(): Promise<void>
  close(): void
}
