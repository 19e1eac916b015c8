import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Logger } from '../../operate/log.ts'
import type { Metrics } from '../../operate/metrics.ts'
import type { Proxies } from '../proxies.ts'
import { answerTo, type HandshakeRefusal, type Judge } from './admission.ts'
import { answerAndEnd, own } from './raw-sockets.ts'

/** A way in for WebSockets. */
export interface Door {
  /** Names it in the log. */
  readonly name: string
  /** Whether a request is for this door, by its address. */
  claims(req: IncomingMessage): boolean
  /** Whether it belongs to a connection that was let in before, and so is not judged again. @default never */
  knows?(req: IncomingMessage): boolean
  /** Lets it in. The socket's errors are listened for already. */
  enter(req: IncomingMessage, tcp: Duplex, head: Buffer<ArrayBuffer>): void
}

export interface UpgradesDeps {
  judge: Judge
  proxies: Pick<Proxies, 'note'>
  metrics: Pick<Metrics, 'handshakesRejected'>
  log: Logger
}

/**
 * Whether a request begins a WebSocket (RFC 6455 section 4.1), for the server's `shouldUpgradeCallback`. One
 * that asks for anything else, such as HTTP/2 (`h2c`), is served as if it did not ask (RFC 9110 section 7.8).
 */
export const isWebSocketHandshake = ({ method, headers }: IncomingMessage): boolean =>
  method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket'

const NOWHERE: HandshakeRefusal = { code: 'NOT_FOUND', reason: 'nowhere' }
const NO_TUNNEL: HandshakeRefusal = { code: 'METHOD_NOT_ALLOWED', reason: 'method' }

/** The last answer on a connection: they go out in order, so when it is over all are. */
const answers = new WeakMap<Duplex, ServerResponse>()

const onRequest = ({ headers, socket }: IncomingMessage, res: ServerResponse): void => {
  answers.set(socket, res)
  // Node's parser drops what comes in one read behind such a request. The client learns by the end of the
  // connection that it was not served.
  if (headers.upgrade !== undefined) res.shouldKeepAlive = false
}

/**
 * Whether a request before it is still being answered. What is written by hand would go out first, and be
 * taken for the answer to that; and behind a 101 that answer would be no frame of a WebSocket.
 */
const isAnswering = (tcp: Duplex): boolean => answers.get(tcp)?.writableFinished === false

/**
 * The one place that raw sockets of the HTTP server come to. Each gets a listener of its errors, and then
 * goes to the first door that claims the request, once the judge has let it in; to no door means 404.
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
