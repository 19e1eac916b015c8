import { once } from 'node:events'
import type { Context } from './context.ts'

/** Interval of the comments that keep proxies from closing a quiet stream. */
export const HEARTBEAT_MS = 15_000
/**
 * Consecutive heartbeats during which data was buffered and none was taken. Such a reader has stopped, like a
 * socket that answers no ping.
 */
const MOST_STALLS = 3

/** A stream of Server-Sent Events to one client. */
export interface EventStream {
  /** Writes whole events. Returns the number of bytes. */
  write(events: string): number
  /** Buffered bytes that the client has not taken yet. */
  readonly waiting: number
  /** Whether the buffer should drain before the next write (back-pressure). */
  readonly isBehind: boolean
  /** Resolves when the buffer has drained; rejects when the signal aborts. */
  taken(signal: AbortSignal): Promise<void>
  /** Ends the answer after what was written. */
  end(): void
  /** Cuts the connection and discards the buffer. */
  cut(): void
}

/** Formats one event. `data` is JSON, which contains no line breaks. */
export const eventOf = (event: string, data: string, id?: string): string =>
  `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${data}\n\n`

export interface EventStreamOptions {
  /** Called when the reader has stopped reading. @default its connection is cut */
  onStalled?: () => void
  /** @default 15000 */
  heartbeatMs?: number
}

/**
 * Begins the answer. Its status is sent now, so a later error can only end the stream. The client then
 * reconnects with its last id.
 */
export const openEventStream = (
  ctx: Context,
  { onStalled, heartbeatMs = HEARTBEAT_MS }: EventStreamOptions = {},
): EventStream => {
  const { res } = ctx
  ctx.respond = false
  ctx.status = 200
  ctx.state.raw = true
  res.writeHead(200, {
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-store',
    'X-Accel-Buffering': 'no',
  })
  /** Number of writes that are not taken, and whether one was taken since the last heartbeat. */
  let writes = 0
  let moved = false
  let stalls = 0
  const taken = () => {
    writes--
    moved = true
  }
  const write = (bytes: Buffer | string) => {
    writes++
    res.write(bytes, taken)
  }
  const cut = () => {
    clearInterval(heartbeat)
    res.destroy()
  }
  const heartbeat = setInterval(() => {
    stalls = writes > 0 && !moved ? stalls + 1 : 0
    moved = false
    if (stalls < MOST_STALLS) write(':\n\n')
    else if (onStalled) onStalled()
    else cut()
  }, heartbeatMs)
  write('retry: 1000\n\n')

  return {
    write: (events) => {
      const bytes = Buffer.from(events)
      write(bytes)
      return bytes.length
    },
    get waiting() {
      return res.writableLength
    },
    get isBehind() {
      return res.writableNeedDrain
    },
    taken: async (signal) => {
      if (res.writableNeedDrain) await once(res, 'drain', { signal })
    },
    end: () => {
      clearInterval(heartbeat)
      res.end()
    },
    cut,
  }
}
