import type { Surroundings } from '../demo/demo.ts'
import { textOf } from '../demo/json.ts'
import { drawId } from '../demo/shop-api.ts'

export interface Notice {
  offset: number
  /** Undefined for a kind that this page does not know. */
  text: string | undefined
  /** Milliseconds since 1970. */
  time: number
}

/** State of the last request to the shop. */
export type Sent = 'none' | 'sending' | 'sent' | 'planned' | 'failed' | 'busy'

export interface Inbox {
  /** Newest first. */
  readonly notices: readonly Notice[]
  readonly unread: number
  /** Everything up to this offset has been read. */
  readonly read: number
  readonly lost: boolean
  readonly sent: Sent
  /** The last attempt to mark messages as read failed. */
  readonly trouble: boolean
  /** @param delay  seconds */
  ask(text: string, delay: number): Promise<void>
  /** @param offset  @default the newest */
  markRead(offset?: number): Promise<void>
}

const MOST_TEXT = 300
const MOST_NOTICES = 200
const PLANNED: number = 202
const BUSY: number = 429

export const createInbox = ({ own, shop, update }: Surroundings): Inbox => {
  let notices: readonly Notice[] = []
  let lost = false
  let sent: Sent = 'none'
  let trouble = false

  own.on('message', ({ data, offset, time }) => {
    notices = [{ offset, text: textOf(data, 'text', MOST_TEXT), time }, ...notices].slice(0, MOST_NOTICES)
    update()
  })
  own.on('lost', () => {
    lost = true
    update()
  })

  return {
    get notices() {
      return notices
    },
    get unread() {
      return own.inbox?.unread ?? 0
    },
    get read() {
      return own.inbox?.read ?? 0
    },
    get lost() {
      return lost
    },
    get sent() {
      return sent
    },
    get trouble() {
      return trouble
    },
    ask: async (text, delay) => {
      sent = 'sending'
      update()
      const { status } = await shop.post('notices', { id: drawId(), text, delay })
      sent = status === PLANNED ? (delay > 0 ? 'planned' : 'sent') : status === BUSY ? 'busy' : 'failed'
      update()
    },
    markRead: async (offset) => {
      const answer = await own.read(offset)
      trouble = !answer.ok
      update()
    },
  }
}
