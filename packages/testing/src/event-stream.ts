import { createParser } from 'eventsource-parser'
import { onCleanup } from './cleanup.ts'
import { createQueues, type Queues } from './queues.ts'

/** One Server-Sent Event; `data` is parsed JSON. `T` is the caller's expectation. */
export interface StreamEvent<T = unknown> {
  id: string | undefined
  data: T
}

const names = ['subscribed', 'message', 'volatile', 'presence', 'inbox', 'ended', 'ticket'] as const
type Name = (typeof names)[number]

/** A client of an event stream. It does not reconnect: a test does that itself, with `lastId`. */
export interface EventStreamClient extends Pick<Queues<Record<Name, StreamEvent>>, 'pending'> {
  readonly status: number
  readonly headers: Headers
  /** The id of the last event that had one. */
  readonly lastId: string | undefined
  /** The next event of that name, like `LoginClient.next`. */
  next<T>(event: Name, timeoutMs?: number): Promise<StreamEvent<T>>
  /** Resolves when the stream has ended for any reason; never rejects. */
  readonly ended: Promise<void>
  close(): void
}

export interface EventStreamOptions {
  bearer: string
  lastEventId?: string
}

/** Resolves when the response's headers have arrived. */
export const openEvents = async (url: string, options: EventStreamOptions): Promise<EventStreamClient> => {
  const { bearer, lastEventId } = options
  const left = new AbortController()
  const response = await fetch(url, {
    headers: {
      accept: 'text/event-stream',
      authorization: `Bearer ${bearer}`,
      ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
    },
    signal: left.signal,
  })
  const queues = createQueues<Record<Name, StreamEvent>>(names)
  let lastId = lastEventId
  const read = async () => {
    const parser = createParser({
      onEvent: ({ event, id, data }) => {
        lastId = id ?? lastId
        queues.push(event as Name, { id, data: JSON.parse(data) })
      },
    })
    for await (const chunk of (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream()))
      parser.feed(chunk)
  }
  const close = () => {
    forget()
    left.abort()
  }
  const forget = onCleanup(close)

  return {
    status: response.status,
    headers: response.headers,
    get lastId() {
      return lastId
    },
    next: <T>(event: Name, timeoutMs?: number) => queues.next(event, timeoutMs) as Promise<StreamEvent<T>>,
    pending: queues.pending,
    ended: read().catch(() => {}),
    close,
  }
}
