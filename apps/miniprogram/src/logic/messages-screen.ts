import type { LiveState } from '@saoma/client'

export interface Notice {
  offset: number
  /** Undefined for a kind that this page does not know. */
  text: string | undefined
  /** Milliseconds since 1970. */
  time: number
  isRead: boolean
}

/**
 * The person's own messages.
 *
 * - `ready`: `notices`, newest first. `unread` counts older messages too. `isLost`: some older messages are
 *   no
 *   longer stored. `error` is the code of the last failed attempt to mark messages as read.
 * - `ended`: the server refuses this client. `code` is the reason; `reconnect` starts over.
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
  /** Marks all messages up to this offset as read, on all devices. @default the newest */
  markRead(offset?: number): Promise<void>
  /** In `ended`: starts over. */
  reconnect(): void
  close(): void
}
