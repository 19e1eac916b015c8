import type { Failure, Live, Room } from '@saoma/client'
import type { Connection } from './connection.ts'
import { textOf } from './json.ts'
import type { MessagesPage, MessagesScreen } from './messages-screen.ts'
import { throttle } from './throttle.ts'

const HISTORY = 50
const MOST_NOTICES = 200
const MOST_TEXT = 300
/**
 * WeChat copies the whole list to the page at each change. After a day away, hundreds of messages arrive at
 * once.
 */
const CHANGES_EVERY_MS = 100

interface Kept {
  offset: number
  text: string | undefined
  time: number
}

export const createMessagesPage = (connection: Connection, onChange: () => void): MessagesPage => {
  let live: Live
  let room: Room
  let unlisten: readonly (() => void)[] = []
  let kept: readonly Kept[] = []
  let isLost = false
  let error: string | undefined
  let ended: string | undefined
  let isClosed = false

  const screenNow = (): MessagesScreen => {
    if (ended) return { status: 'ended', code: ended }
    // Before the first answer it is unknown whether the list is empty.
    if (!room.position) return { status: 'loading', connection: live.state }
    const read = room.inbox?.read ?? 0
    return {
      status: 'ready',
      connection: live.state,
      notices: kept.map((notice) => ({ ...notice, isRead: notice.offset <= read })),
      unread: room.inbox?.unread ?? 0,
      isLost,
      ...(error ? { error } : {}),
    }
  }

  const changes = throttle(onChange, CHANGES_EVERY_MS)
  const changed = () => {
    if (!isClosed) changes.call()
  }

  const leave = () => {
    for (const stop of unlisten) stop()
    room.close()
  }

  const end = ({ code }: Failure) => {
    ended = code
    changed()
  }

  const join = () => {
    ended = undefined
    error = undefined
    isLost = false
    kept = []
    live = connection.live()
    room = live.channel('@user', { history: HISTORY })
    unlisten = [
      live.on('state', changed),
      live.on('ended', end),
      room.on('refused', end),
      room.on('state', changed),
      room.on('inbox', changed),
      room.on('message', ({ data, offset, time }) => {
        kept = [{ offset, text: textOf(data, 'text', MOST_TEXT), time }, ...kept].slice(0, MOST_NOTICES)
        changed()
      }),
      room.on('lost', () => {
        isLost = true
        changed()
      }),
    ]
  }

  join()

  return {
    get screen() {
      return screenNow()
    },
    markRead: async (offset) => {
      const answer = await room.read(offset)
      error = answer.ok ? undefined : answer.code
      changed()
    },
    reconnect: () => {
      if (!ended) return
      leave()
      join()
      changed()
    },
    close: () => {
      isClosed = true
      changes.cancel()
      leave()
    },
  }
}
