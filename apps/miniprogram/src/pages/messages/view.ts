import { clock } from '../../clock.ts'
import type { MessagesScreen } from '../../logic/messages-screen.ts'
import type { Text } from '../../logic/text.ts'

/** The data of the page. No value is undefined. */
export type MessagesView =
  | { kind: 'wait'; unread: 0; connection: string }
  | { kind: 'ended'; unread: 0; hint: string }
  | {
      kind: 'list'
      connection: string
      isLive: boolean
      unread: number
      count: string
      notices: readonly { offset: number; text: string; time: string; isRead: boolean }[]
      isLost: boolean
      error: string
    }

export const messagesView = (screen: MessagesScreen, { words, fill, sayCode }: Text, now: number): MessagesView => {
  if (screen.status === 'ended') return { kind: 'ended', unread: 0, hint: sayCode(screen.code) }
  const connection = words.connections[screen.connection]
  if (screen.status === 'loading') return { kind: 'wait', unread: 0, connection }
  const { unread, isLost, error } = screen
  return {
    kind: 'list',
    connection,
    isLive: ['socket', 'stream', 'poll'].includes(screen.connection),
    unread,
    count: unread === 0 ? words.messages.unread.none : fill(words.messages.unread.some, { n: unread }),
    notices: screen.notices.map(({ offset, text, time, isRead }) => ({
      offset,
      text: text ?? words.messages.other,
      time: clock(time, now),
      isRead,
    })),
    isLost,
    error: error ? sayCode(error) : '',
  }
}
