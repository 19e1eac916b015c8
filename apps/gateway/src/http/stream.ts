import { once } from 'node:events'
import type { Tickets } from '@saoma/tickets'
import type { Context } from 'koa'
import type { Holds } from './holds.ts'
import { answer } from './problem.ts'

/** How often a comment keeps proxies from taking a quiet stream for a dead one. */
const HEARTBEAT_MS = 15_000

/** Server-Sent Events of one ticket: `event: ticket`, `id` is the version, so `Last-Event-ID` resumes on any node. Ends with the ticket. */
export const streamTicket = async (
  ctx: Context,
  tickets: Tickets,
  holds: Holds,
  deviceCode: string,
  after: number,
): Promise<void> => {
  const present = await tickets.read(deviceCode)
  if (!present.ok) return answer(ctx, present)

  ctx.respond = false
  ctx.status = 200
  ctx.state.raw = true
  const { res } = ctx
  res.writeHead(200, {
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-store',
    'X-Accel-Buffering': 'no',
  })
  res.write('retry: 1000\n\n')
  const heartbeat = setInterval(() => res.write(':\n\n'), HEARTBEAT_MS)
  try {
    await holds.hold(ctx, async (signal) => {
      for await (const state of tickets.follow(deviceCode, after, signal)) {
        const flushed = res.write(`event: ticket\nid: ${state.version}\ndata: ${JSON.stringify(state)}\n\n`)
        if (!flushed) await once(res, 'drain', { signal })
      }
    })
  } catch {
    // The headers are out: a stream that breaks simply ends, and the client comes back with its cursor.
  } finally {
    clearInterval(heartbeat)
    res.end()
  }
}
