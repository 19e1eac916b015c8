import type { Server as HttpServer } from 'node:http'
import { Server as TcpServer } from 'node:net'
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises'
import type { Server } from 'socket.io'
import { LAST_ANSWERS_MS, PROXY_IDLE_MS } from './config/drain-times.ts'
import type { ConnmixDoor } from './live/connmix/door.ts'
import { socketsOf } from './live/socketio/counts.ts'
import type { Logger } from './operate/log.ts'
import type { Metrics } from './operate/metrics.ts'
import { type Guest, sendAway, windowFor } from './transport/guests.ts'
import type { HeldRequests } from './transport/http/held-requests.ts'
import type { LightDoor } from './transport/light/light-door.ts'
import { engineOf, isOpen, tcpOf } from './transport/socket/engine.ts'

/** Consecutive turns of the event loop without a new connection. Each turn accepts one. */
const QUIET_TURNS = 5
/** Upper bound, for when new connections keep arriving. */
const MOST_TURNS = 1_000

interface Doors {
  io: Server
  ws: ConnmixDoor
  lightLogins: LightDoor<Guest>
  lightLives: LightDoor<Guest>
}

/** The admitted clients of all doors: those in a namespace, or authenticated on the plain WebSocket. */
export const guestsOf = ({ io, ws, lightLogins, lightLives }: Doors): Guest[] => [
  ...socketsOf(io).map((socket) => ({
    get isOpen() {
      return isOpen(engineOf(socket.conn))
    },
    get tcp() {
      return tcpOf(engineOf(socket.conn))
    },
    sendAway: (resumeAfterMs: number) => void socket.emit('drain', { resumeAfterMs }),
    end: () => void socket.conn.close(),
  })),
  ...ws.guests(),
  ...lightLogins.guests(),
  ...lightLives.guests(),
]

export interface DrainDeps extends Doors {
  http: HttpServer
  holds: HeldRequests
  metrics: Metrics
  log: Logger
}

/**
 * Sends the clients of a node to other nodes without a storm: sockets and held requests. Meanwhile the node
 * serves everything except new handshakes, because its polling sessions exist on no other node.
 */
const empty = async (deps: DrainDeps, windowMs: number): Promise<void> => {
  const { holds, metrics, log } = deps
  const guests = guestsOf(deps)
  const requests = holds.size
  const window = windowFor(guests.length + requests, windowMs)
  log.info({ event: 'draining', sockets: guests.length, requests, windowMs: Math.round(window) })
  let released = 0
  await sendAway(guests, window, {
    onStep: (part) => {
      const due = Math.round(requests * part)
      holds.release(due - released)
      released = due
    },
    onEnd: () => metrics.drained.inc(),
  })
  // Clients that were still being admitted, and requests that have been held since.
  for (const guest of guestsOf(deps)) guest.end()
  holds.close()
}

/**
 * Closes the HTTP server without losing a request between a proxy and this node. New connections are refused,
 * and the proxy then tries another node. Open connections are not closed by us: a request may be on its way,
 * and if it is not idempotent it would fail. Instead the next answer says `Connection: close`, and the proxy
 * closes its idle connections itself.
 */
const stopListening = async (http: HttpServer, waitMs: number): Promise<void> => {
  http.prependListener('request', (_, res) => {
    res.shouldKeepAlive = false
  })
  // Connections that the kernel has accepted but Node has not would be reset, and their requests lost.
  let quiet = 0
  http.on('connection', () => {
    quiet = 0
  })
  for (let turns = 0; quiet < QUIET_TURNS && turns < MOST_TURNS; quiet++, turns++) await turn()
  // http.Server's own close() would also close idle connections.
  const closed = new Promise<void>((resolve) => TcpServer.prototype.close.call(http, () => resolve()))
  await Promise.race([closed, delay(waitMs, undefined, { ref: false })])
}

export const drain = async (deps: DrainDeps, windowMs: number): Promise<void> => {
  const { http, io, ws, lightLogins, lightLives } = deps
  await empty(deps, windowMs)
  // Clients that never authenticated.
  ws.close()
  lightLogins.close()
  lightLives.close()
  await stopListening(http, windowMs === 0 ? 0 : PROXY_IDLE_MS)
  // Give answers in progress a moment. A client that ignores the close frame does not delay the end: its
  // connection ends with the process.
  const close = async () => {
    // This answers the held polls, so their connections become idle.
    await io.close()
    await new Promise<void>((resolve) => http.close(() => resolve()))
  }
  await Promise.race([close(), delay(LAST_ANSWERS_MS, undefined, { ref: false })])
  http.closeAllConnections()
}
