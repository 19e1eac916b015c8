import type { Server as HttpServer } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { Server } from 'socket.io'
import { socketsOf } from './io/counts.ts'
import type { Logger } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { WsDoor } from './ws/door.ts'

/** Time between two batches of closed sockets. */
const STEP_MS = 250
/** A node with few sockets need not take the whole window: about this many reconnects a second are no storm. */
const CLOSES_PER_SECOND = 500
/** How long requests that are being answered may hold up the end. */
const LAST_ANSWERS_MS = 2_000

/**
 * Ends every connection of a node without a storm: each browser is told its own moment to come back, and sockets are closed in
 * batches over a window. They are closed as connections, not as "disconnected by the server", which a client would take for good.
 */
export const drain = async (
  { http, io, ws, metrics, log }: { http: HttpServer; io: Server; ws: WsDoor; metrics: Metrics; log: Logger },
  windowMs: number,
): Promise<void> => {
  const sockets = socketsOf(io)
  const window = Math.min(windowMs, (sockets.length / CLOSES_PER_SECOND) * 1000)
  const steps = Math.max(1, Math.ceil(window / STEP_MS))
  log.info({ event: 'draining', sockets: sockets.length, windowMs: Math.round(window) })

  // From here on no new connection is accepted; kept-alive ones end with their next answer.
  const closed = new Promise<void>((resolve) => http.close(() => resolve()))
  http.closeIdleConnections()
  for (const socket of sockets) socket.emit('drain', { resumeAfterMs: Math.round(Math.random() * window) })

  const batch = Math.ceil(sockets.length / steps)
  for (let step = 0; step < steps && sockets.length > 0; step++) {
    if (step > 0) await delay(STEP_MS)
    for (const socket of sockets.splice(0, batch)) {
      socket.conn.close()
      metrics.drained.inc()
    }
  }
  // Those who never said who they are.
  ws.close()
  // Answers on their way get a moment. A client that ignores the close frame does not hold up the end: its connection ends with the process.
  await Promise.race([Promise.all([io.close(), closed]), delay(LAST_ANSWERS_MS)])
  http.closeAllConnections()
}
