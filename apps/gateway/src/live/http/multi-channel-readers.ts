import type { Listener, LogEntry, Signal } from '@saoma/channels'
import { type Code, isNext, type Position, type Subscribed } from '@saoma/protocol'
import type { Principal } from '../../access/principal.ts'
import type { Live, Subscription } from '../live.ts'
import { type ChannelQuery, formatPosition, PLACE_SEPARATOR } from './channel-query.ts'

/** Returns the id of an event that advances one channel. The id holds the positions of all channels. */
export type IdAt = (position: Position) => string

/** The callbacks of a reader of several channels. The events of each channel arrive in order. */
export interface Hearing {
  /** A channel begins, or begins again because messages were lost. */
  subscribed(subscribed: Subscribed, idAt: IdAt): void
  messages(batch: readonly Pick<LogEntry, 'json' | 'epoch' | 'offset'>[], idAt: IdAt): void
  signal(signal: Signal): void
  /** Resolves when the next page may be read. */
  ready(): Promise<void>
  /** A channel may no longer be read. */
  refused(code: Code): void
  /** Reading a channel failed. */
  broke(error: unknown): void
}

/** One reader of several channels, from the log and then live. */
export interface MultiChannelReaders {
  /**
   * Starts the channels one after the other, so that at most one page is buffered for the client. Rejects
   * with RedisUnavailable.
   */
  begin(): Promise<void>
  close(): void
}

interface Reader extends ChannelQuery {
  following?: Subscription['following']
}

export const createMultiChannelReaders = (
  live: Live,
  who: Principal,
  { asked, history }: { asked: readonly ChannelQuery[]; history: number },
  hearing: Hearing,
): MultiChannelReaders => {
  const readers: Reader[] = asked.map((one) => ({ ...one }))
  let closed = false
  /** The queue of reads: also after an outage, at most one page at a time is buffered for the client. */
  let turn: Promise<unknown> = Promise.resolve()

  /** The positions of the other channels do not change, so their part of the id is formatted once. */
  const idsOf = (reader: Reader): IdAt => {
    const at = readers.indexOf(reader)
    const before = readers.slice(0, at).map((other) => `${formatPosition(other)}${PLACE_SEPARATOR}`)
    const after = readers.slice(at + 1).map((other) => `${PLACE_SEPARATOR}${formatPosition(other)}`)
    const [head, tail] = [before.join(''), after.join('')]
    return (since) => `${head}${formatPosition({ channel: reader.channel, since })}${tail}`
  }

  const moveOn = (reader: Reader, { epoch, offset }: Position): IdAt => {
    reader.since = { epoch, offset }
    return idsOf(reader)
  }

  const listenerOf = (reader: Reader): Listener => ({
    messages: (batch) => {
      const [first, last] = [batch[0], batch.at(-1)]
      if (closed || !first || !last) return
      const { since } = reader
      if (since && isNext(since, first)) return hearing.messages(batch, moveOn(reader, last))
      // A gap that the log could not fill. Reading on from the last position tells what was lost.
      reader.following?.close()
      inTurn(reader).catch(hearing.broke)
    },
    signal: (signal) => {
      if (!closed) hearing.signal(signal)
    },
  })

  /** Reads page after page from the reader's position, then continues live. */
  const read = async (reader: Reader): Promise<void> => {
    const listener = listenerOf(reader)
    for (let beginning = true; ; beginning = false) {
      const { channel, since } = reader
      const result = await live.subscribe(who, channel, since ? { since } : { history }, listener, true)
      if (!result.ok) return hearing.refused(result.code)
      const { subscribed, following } = result.value
      reader.following = following
      if (closed) return following.close()
      const idAt = moveOn(reader, subscribed)
      if (beginning || !subscribed.recovered) hearing.subscribed(subscribed, idAt)
      else
        hearing.messages(
          subscribed.messages.map((message) => ({ ...message, json: JSON.stringify(message) })),
          idAt,
        )
      if (!subscribed.more) return following.start()
      following.close()
      await hearing.ready()
    }
  }

  const inTurn = (reader: Reader): Promise<void> => {
    const done = turn.then(async () => {
      if (closed) return
      await read(reader)
      await hearing.ready()
    })
    // The caller handles the error of `done`.
    turn = done.catch(() => {})
    return done
  }

  return {
    begin: async () => {
      for (const reader of readers) await inTurn(reader)
    },
    close: () => {
      closed = true
      for (const { following } of readers) following?.close()
    },
  }
}
