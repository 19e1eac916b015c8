import type { Server as HttpServer } from 'node:http'
import { Server as TcpServer } from 'node:net'
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises'
import type { Server } from 'socket.io'
import { LAST_ANSWERS_MS, PROXY_IDLE_MS } from './config/drain-times.ts'
import type { ConnmixDoor } from './live/connmix/door.ts'
import { socketsOf } from './live/socketio/counts.ts'
import type { LightLoginDoor } from './login/watch/door.ts'
import type { Logger } from './operate/log.ts'
import type { Metrics } from './operate/metrics.ts'
import { type Guest, sendAway, windowFor } from './transport/guests.ts'
import type { HeldRequests } from './transport/http/held-requests.ts'
import { engineOf, isOpen, tcpOf } from './transport/socket/engine.ts'

/** Turns of the event loop in a row that brought no new connection: each takes in one. */
const QUIET_TURNS = 5
/** When new ones come all the time. */
const MOST_TURNS = 1_000

/** Those of all doors who have come in: into a namespace, or past the question who they are. */
export const guestsOf = ({ io, ws, lightLogins }: Pick<DrainDeps, 'io' | 'ws' | 'lightLogins'>): Guest[] => [
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
  ...lightLogins.browsers(),
]

export interface DrainDeps {
  http: HttpServer
  io: Server
  ws: ConnmixDoor
  lightLogins: LightLoginDoor
  holds: HeldRequests
  metrics: Metrics
  log: Logger
}

/**
 * Sends the clients of a node elsewhere without a storm, sockets and held requests. Meanwhile everything but
 * a new handshake is served as ever: polling sessions live here and nowhere else.
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
  // Whoever was in the middle of coming in, and what has been held since.
  for (const guest of guestsOf(deps)) guest.end()
  holds.close()
}

/**
 * Ends the HTTP door so that no request is lost between a proxy and this node. A new connection is refused,
 * upon which the proxy asks another node. One that is there is not closed by us, because a request may be on
 * its way in that moment, and one that is not repeatable would fail: it is told to close with its next
 * answer, and the proxy itself gives up what it does not use.
 */
const stopListening = async (http: HttpServer, waitMs: number): Promise<void> => {
  http.prependListener('request', (_, res) => {
    res.shouldKeepAlive = false
  })
  // What the kernel has accepted for us and we have not would be reset, with the request in it.
  let quiet = 0
  http.on('connection', () => {
    quiet = 0
  })
  for (let turns = 0; quiet < QUIET_TURNS && turns < MOST_TURNS; quiet++, turns++) await turn()
  // The close() of http.Server would end idle connections, too.
  const closed = new Promise<void>((resolve) => TcpServer.prototype.close.call(http, () => resolve()))
  await Promise.race([closed, delay(waitMs, undefined, { ref: false })])
}

export const drain = async (deps: DrainDeps, windowMs: number): Promise<void> => {
  const { http, io, ws, lightLogins } = deps
  await empty(deps, windowMs)
  // Those who never said who they are.
  ws.close()
  lightLogins.close()
  await stopListening(http, windowMs === 0 ? 0 : PROXY_IDLE_MS)
  // Answers on their way get a moment. A client that ignores the close frame does not hold up the end: its
  // connection ends with the process.
  const close = async () => {
    // It answers the polls that it holds, whose connections are idle then.
    await io.close()
    await new Promise<void>((resolve) => http.close(() => resolve()))
  }
  await Promise.race([close(), delay(LAST_ANSWERS_MS, undefined, { ref: false })])
  http.closeAllConnections()
}
