import { isEmptyEpoch, isNext, type LossReason, type Message, type Page, type Position } from '@saoma/protocol'

/**
 * The server could not give everything after `since`. Reload the state from your backend, then continue from
 * `position`.
 */
export interface Lost {
  /** `trimmed`: the log no longer reaches back so far. `epoch`: the log was lost and began again. */
  reason: LossReason
  /** The position before the loss. */
  since: Position | undefined
  /** The position from which it continues. */
  position: Position
}

export interface CursorOptions {
  position: Position | undefined
  onMessage: (message: Message) => void
  onLost: (lost: Lost) => void
}

/** The position of a reader in one channel. Hands on each message once, in order and without a gap. */
export interface Cursor {
  readonly position: Position | undefined
  /** Takes the answer to a request from the present position. */
  take(page: Page): void
  /**
   * Takes one message. Returns false, and ignores the message, if messages before it are missing: request
   * them from `position`.
   */
  receive(message: Message): boolean
  /** Stops handing on messages, also the rest of a page. */
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
      // Live messages may have moved the position past a page that was read earlier.
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
