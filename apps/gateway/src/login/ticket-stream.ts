import type { Tickets } from '@saoma/tickets'
import type { Context } from '../transport/http/context.ts'
import { eventOf, openEventStream } from '../transport/http/event-stream.ts'
import type { HeldRequests } from '../transport/http/held-requests.ts'
import { answer } from '../transport/http/problem.ts'

/**
 * Server-Sent Events of one ticket: `event: ticket`, with the version as `id`, so `Last-Event-ID` resumes on
 * any node. The stream ends with the ticket.
 */
export const streamTicket = async (
  ctx: Context,
  tickets: Tickets,
  holds: HeldRequests,
  deviceCode: string,
  after: number,
): Promise<void> => {
  const present = await tickets.read(deviceCode)
  if (!present.ok) return answer(ctx, present)

  const stream = openEventStream(ctx)
  try {
    await holds.hold(ctx, async (signal) => {
      for await (const state of tickets.follow(deviceCode, after, signal)) {
        stream.write(eventOf('ticket', JSON.stringify(state), String(state.version)))
        await stream.taken(signal)
      }
    })
  } catch {
    // The headers have been sent, so a broken stream simply ends. The client reconnects with its cursor.
  } finally {
    stream.end()
  }
}
