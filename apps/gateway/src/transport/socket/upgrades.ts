import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Logger } from '../../operate/log.ts'
import type { Metrics } from '../../operate/metrics.ts'
import type { Proxies } from '../proxies.ts'
import { answerTo, type HandshakeRefusal, type Judge } from './admission.ts'
import { answerAndEnd, own } from './raw-sockets.ts'

/** A door for WebSockets. */
export interface Door {
  /** Its name in the log. */
  readonly name: string
  /** Whether the address of a request belongs to this door. */
  claims(req: IncomingMessage): boolean
  /** Whether it belongs to an admitted connection, and so is not judged again. @default never */
  knows?(req: IncomingMessage): boolean
  /** Serves the request. The socket already has an error listener. */
  enter(req: IncomingMessage, tcp: Duplex, head: Buffer<ArrayBuffer>): void
}

export interface UpgradesDeps {
  judge: Judge
  proxies: Pick<Proxies, 'note'>
  metrics: Pick<Metrics, 'handshakesRejected'>
  log: Logger
}

/**
 * Whether a request is a WebSocket handshake (RFC 6455 section 4.1), for the server's
 * `shouldUpgradeCallback`. Any other upgrade, such as HTTP/2 (`h2c`), is ignored (RFC 9110 section 7.8).
 */
export const isWebSocketHandshake = ({ method, headers }: IncomingMessage): boolean =>
  method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket'

const NOWHERE: HandshakeRefusal = { code: 'NOT_FOUND', reason: 'nowhere' }
const NO_TUNNEL: HandshakeRefusal = { code: 'METHOD_NOT_ALLOWED', reason: 'method' }

/** The last answer on each connection. Answers are sent in order, so when the last is finished, all are. */
const answers = new WeakMap<Duplex, ServerResponse>()

const onRequest = ({ headers, socket }: IncomingMessage, res: ServerResponse): void => {
  answers.set(socket, res)
  // Node's parser drops requests that arrive in the same read after such a request. Closing the connection
  // tells the client that they were not served.
  if (headers.upgrade !== undefined) res.shouldKeepAlive = false
}

/**
 * Whether an earlier request is still being answered. A refusal that is written to the socket would be sent
 * first, and taken for that answer. After a 101, that answer would not be a WebSocket frame.
 */
const isAnswering = (tcp: Duplex): boolean => answers.get(tcp)?.writableFinished === false

/**
 * Routes all raw sockets of the HTTP server. Each one gets an error listener. If the judge admits it, it goes
 * to the first door that claims the request. If no door claims it, the answer is 404.
 */
export const routeUpgrades = (
  http: HttpServer,
  doors: readonly Door[],
  { judge, proxies, metrics, log }: UpgradesDeps,
  { nodeId }: { nodeId: string },
): void => {
  const refuse = (tcp: Duplex, refusal: HandshakeRefusal) => answerAndEnd(tcp, answerTo(refusal, nodeId))

  const admit = async (door: Door, req: IncomingMessage, tcp: Duplex, head: Buffer<ArrayBuffer>): Promise<void> => {
    const refusal = door.knows?.(req) ? undefined : await judge(req)
    if (refusal) refuse(tcp, refusal)
    else door.enter(req, tcp, head)
  }

  http.on('upgrade', (req: IncomingMessage, tcp: Duplex, head: Buffer<ArrayBuffer>) => {
    own(tcp)
    if (isAnswering(tcp)) return tcp.destroy()
    proxies.note(req, tcp)
    const door = doors.find(({ claims }) => claims(req))
    if (!door) {
      metrics.handshakesRejected.inc({ reason: NOWHERE.reason })
      return refuse(tcp, NOWHERE)
    }
    admit(door, req, tcp, head).catch((error: unknown) => {
      log.error({ err: error, event: 'refused', on: door.name })
      tcp.destroy()
    })
  })
  http.on('connect', (_, tcp: Duplex) => {
    own(tcp)
    if (isAnswering(tcp)) return tcp.destroy()
    metrics.handshakesRejected.inc({ reason: NO_TUNNEL.reason })
    refuse(tcp, NO_TUNNEL)
  })
  http.prependListener('request', onRequest)
}
