import { once } from 'node:events'
import type { Context } from './context.ts'

/** How often a comment keeps proxies from taking a quiet stream for a dead one. */
const HEARTBEAT_MS = 15_000
/**
 * Heartbeats in a row at which something waited and nothing was taken: the reader has stopped, as a socket
 * has that answers no ping.
 */
const MOST_STALLS = 3

/** Server-Sent Events on their way to one client. */
export interface EventStream {
  /** Writes whole events; returns their bytes. */
  write(events: string): number
  /** Bytes that the client has not taken yet. */
  readonly waiting: number
  /** Whether what was written should be taken before more is written. */
  readonly isBehind: boolean
  /** Resolves when the client has taken what was written; rejects when the signal fires. */
  taken(signal: AbortSignal): Promise<void>
  /** Ends the answer after what was written. */
  end(): void
  /** Cuts the connection, with all that the client has not taken. */
  cut(): void
}

/** One event. `data` is JSON, which has no line breaks. */
export const eventOf = (event: string, data: string, id?: string): string =>
  `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${data}\n\n`

export interface EventStreamOptions {
  /** The reader takes nothing any more. @default its connection is cut */
  onStalled?: () => void
  /** @default 15000 */
  heartbeatMs?: number
}

/**
 * Begins the answer. From here on its status is told: what goes wrong can only end it, and the client comes
 * back with its last id.
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
  /** Writes that wait, and whether one of them has been taken since the last heartbeat. */
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
