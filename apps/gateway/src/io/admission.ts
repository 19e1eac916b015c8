import { type IncomingMessage, ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { type Code, codes } from '@saoma/protocol'
import type { Limits } from '../limits.ts'
import type { Metrics } from '../metrics.ts'

export interface AdmissionOptions {
  allowsOrigin: (origin: string) => boolean
  addressOf: (req: IncomingMessage) => string
  isDraining: () => boolean
}

/** Why a handshake is refused. */
export interface HandshakeRefusal {
  code: Code
  reason: 'draining' | 'origin' | 'rate'
  retryAfterSeconds?: number
}

const answerTo = ({ code, retryAfterSeconds }: HandshakeRefusal) => {
  const { status, say, react } = codes[code]
  const body = JSON.stringify({ type: 'about:blank', title: say.en, status, code, react })
  const headers: Record<string, string> = {
    'Content-Type': 'application/problem+json',
    'Content-Length': String(Buffer.byteLength(body)),
    ...(retryAfterSeconds ? { 'Retry-After': String(retryAfterSeconds) } : {}),
  }
  return { status, headers, body }
}

/** Answers an upgrade in plain HTTP and ends its socket. */
export const refuseUpgrade = (socket: Duplex, refusal: HandshakeRefusal): void => {
  const { status, headers, body } = answerTo(refusal)
  const lines = Object.entries({ ...headers, Connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`)
}

/** Decides whether a new connection may begin here, the same on every door: `undefined` when it may. */
export const createJudge =
  (limits: Pick<Limits, 'handshakes'>, metrics: Metrics, options: AdmissionOptions) =>
  async (req: IncomingMessage): Promise<HandshakeRefusal | undefined> => {
    const judge = async (): Promise<HandshakeRefusal | undefined> => {
      if (options.isDraining()) return { code: 'DRAINING', reason: 'draining', retryAfterSeconds: 1 }
      const { origin } = req.headers
      if (origin !== undefined && !options.allowsOrigin(origin)) return { code: 'FORBIDDEN', reason: 'origin' }
      const slow = await limits.handshakes(options.addressOf(req))
      return slow ? { code: 'RATE_LIMITED', reason: 'rate', retryAfterSeconds: slow.retryAfterSeconds } : undefined
    }
    const refusal = await judge()
    if (refusal) metrics.handshakesRejected.inc({ reason: refusal.reason })
    return refusal
  }

/** The judge as a middleware of Engine.IO. Requests of a session that was admitted pass. */
export const createAdmission = (limits: Limits, metrics: Metrics, options: AdmissionOptions) => {
  const judge = createJudge(limits, metrics, options)
  return (req: IncomingMessage, res: ServerResponse, next: (error?: Error) => void): void => {
    // Engine.IO takes the last of several, and an empty one for none.
    if (new URL(req.url ?? '/', 'http://node').searchParams.getAll('sid').at(-1)) return next()
    judge(req).then((refusal) => {
      if (!refusal) return next()
      // Engine.IO hands its middleware a response of its own making when the request is an upgrade: that one cannot carry a status.
      if (!(res instanceof ServerResponse)) return refuseUpgrade(req.socket, refusal)
      const { status, headers, body } = answerTo(refusal)
      res.writeHead(status, headers).end(body)
    }, next)
  }
}
