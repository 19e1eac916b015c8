import type { SessionEntry } from '@saoma/protocol'

/** `ending`: it is being ended, and not known to be over. */
export interface Device extends SessionEntry {
  ending: boolean
}

/**
 * Where the person is logged in, as the server last said. `error` is a code to be put into words by
 * `sayCode`.
 */
export type DevicesScreen =
  | { status: 'loading' }
  | { status: 'failed'; code: string }
  | { status: 'listed'; devices: readonly Device[]; refreshing: boolean; endingAll: boolean; error?: string }

export interface DevicesPage {
  readonly screen: DevicesScreen
  /** Asks again; resolves when the answer is shown, for the pull-down. */
  refresh(): Promise<void>
  /** Logs out there. */
  end(sid: string): Promise<void>
  /** Logs out everywhere. */
  endAll(): Promise<void>
  close(): void
}
