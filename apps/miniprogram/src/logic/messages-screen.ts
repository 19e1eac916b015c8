import type { LiveState } from '@saoma/client'

export interface Notice {
  offset: number
  /** Undefined: of a kind that this page does not know. */
  text: string | undefined
  /** Milliseconds since 1970. */
  time: number
  isRead: boolean
}

/**
 * The person's own messages.
 *
 * - `ready`: `notices`, newest first; `unread` counts older ones too. `isLost`: some older ones are no longer
 *   kept. `error`, a code, is why the last mark was not made.
 * - `ended`: the server will not have us any more. `code` says why; `reconnect` begins anew.
 */
export type MessagesScreen =
  | { status: 'loading'; connection: LiveState }
  | {
      status: 'ready'
      connection: LiveState
      notices: readonly Notice[]
      unread: number
      isLost: boolean
      error?: string
    }
  | { status: 'ended'; code: string }

export interface MessagesPage {
  readonly screen: MessagesScreen
  /** Marks everything up to here as read, on all devices. @default the newest */
  markRead(offset?: number): Promise<void>
  /** Of `ended`: begins anew. */
  reconnect(): void
  close(): void
}
