import { once } from 'node:events'
import type { Context } from 'koa'

/** How often a comment keeps proxies from taking a quiet stream for a dead one. */
const HEARTBEAT_MS = 15_000

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

/** Begins the answer. From here on its status is told: what goes wrong can only end it, and the client comes back with its last id. */
export const openEventStream = (ctx: Context): EventStream => {
  const { res } = ctx
  ctx.respond = false
  ctx.status = 200
  ctx.state.raw = true
  res.writeHead(200, {
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-store',
    'X-Accel-Buffering': 'no',
  })
  res.write('retry: 1000\n\n')
  const heartbeat = setInterval(() => res.write(':\n\n'), HEARTBEAT_MS)

  return {
    write: (events) => {
      const bytes = Buffer.from(events)
      res.write(bytes)
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
    cut: () => {
      clearInterval(heartbeat)
      res.destroy()
    },
  }
}
