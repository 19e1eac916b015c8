import type { ActivityEntry } from '@saoma/protocol'

/**
 * What happened to the person's logins, as the server last reported it. `error` is a code that `sayCode` puts
 * into words.
 */
export type ActivityScreen =
  | { status: 'loading' }
  | { status: 'failed'; code: string }
  | {
      status: 'listed'
      entries: readonly ActivityEntry[]
      /** There are older ones. */
      hasMore: boolean
      /** A page is being read. */
      reading: boolean
      /** The login that is being reported. */
      reporting: string
      /** A login was reported. */
      reported: boolean
      error?: string
    }

export interface ActivityPart {
  readonly screen: ActivityScreen
  /** Reads the newest entries again. Resolves when the answer is shown. */
  refresh(): Promise<void>
  /** Reads older entries, if there are any. */
  readMore(): Promise<void>
  /** The person says of the login with this session: this was not me. It ends. */
  report(sid: string): Promise<void>
  close(): void
}
