import { isEmptyEpoch, isNext, type LossReason, type Message, type Page, type Position } from '@saoma/protocol'

/**
 * The server could not give everything after `since`: read the state anew from your backend, then go on from
 * `position`.
 */
export interface Lost {
  /** `trimmed`: the log no longer reaches back so far. `epoch`: the log itself was lost and began again. */
  reason: LossReason
  /** What was known. */
  since: Position | undefined
  /** From where it goes on. */
  position: Position
}

export interface CursorOptions {
  position: Position | undefined
  onMessage: (message: Message) => void
  onLost: (lost: Lost) => void
}

/** Where a reader of one channel stands. Hands on each message once, in order and without a hole. */
export interface Cursor {
  readonly position: Position | undefined
  /** Takes what was answered to the present position. */
  take(page: Page): void
  /**
   * Takes one message. False: something between is missing, and the message was left alone; ask from
   * `position`.
   */
  receive(message: Message): boolean
  /** Nothing is handed on any more, not even the rest of a page. */
  close(): void
}

export const createCursor = (options: CursorOptions): Cursor => {
  let { position } = options
  let closed = false

  const isKnown = ({ epoch, offset }: Position) => position?.epoch === epoch && offset <= position.offset

  const handOn = (message: Message) => {
    position = { epoch: message.epoch, offset: message.offset }
    options.onMessage(message)
  }

  return {
    get position() {
      return position
    },
    take: (page) => {
      const { epoch, offset, reason } = page
      if (!page.recovered) {
        const since = position
        position = undefined
        if (reason) options.onLost({ reason, since, position: { epoch, offset } })
      }
      for (const message of page.messages) {
        if (closed) return
        if (!isKnown(message)) handOn(message)
      }
      // Live messages may have brought us further than the page that was read before them.
      const wasEmpty = position !== undefined && !isEmptyEpoch(position.epoch) && isEmptyEpoch(epoch)
      if (!wasEmpty && !isKnown({ epoch, offset })) position = { epoch, offset }
    },
    receive: (message) => {
      if (closed || isKnown(message)) return true
      if (!position || !isNext(position, message)) return false
      handOn(message)
      return true
    },
    close: () => {
      closed = true
    },
  }
}
