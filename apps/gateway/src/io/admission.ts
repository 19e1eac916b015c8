import { type IncomingMessage, ServerResponse, STATUS_CODES } from 'node:http'
import { type Code, codes } from '@saoma/protocol'
import type { Limits } from '../limits.ts'
import type { Metrics } from '../metrics.ts'

export interface AdmissionOptions {
  allowsOrigin: (origin: string) => boolean
  addressOf: (req: IncomingMessage) => string
  isDraining: () => boolean
}

interface Refusal {
  code: Code
  reason: 'draining' | 'origin' | 'rate'
  retryAfterSeconds?: number
}

/** Engine.IO hands its middleware a response of its own making when the request is an upgrade: that one cannot carry a status. */
const refuse = (req: IncomingMessage, res: ServerResponse, { code, retryAfterSeconds }: Refusal): void => {
  const { status, say, react } = codes[code]
  const body = JSON.stringify({ type: 'about:blank', title: say.en, status, code, react })
  const headers: Record<string, string> = {
    'Content-Type': 'application/problem+json',
    'Content-Length': String(Buffer.byteLength(body)),
    ...(retryAfterSeconds ? { 'Retry-After': String(retryAfterSeconds) } : {}),
  }
  if (res instanceof ServerResponse) {
    res.writeHead(status, headers).end(body)
    return
  }
  const lines = Object.entries({ ...headers, Connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`)
  req.socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`)
}

/** Decides whether a new engine session may begin here. Requests of a session that was admitted pass. */
export const createAdmission = (limits: Limits, metrics: Metrics, options: AdmissionOptions) => {
  const judge = async (req: IncomingMessage): Promise<Refusal | undefined> => {
    if (options.isDraining()) return { code: 'DRAINING', reason: 'draining', retryAfterSeconds: 1 }
    const { origin } = req.headers
    if (origin !== undefined && !options.allowsOrigin(origin)) return { code: 'FORBIDDEN', reason: 'origin' }
    const slow = await limits.handshakes(options.addressOf(req))
    return slow ? { code: 'RATE_LIMITED', reason: 'rate', ...slow } : undefined
  }

  return (req: IncomingMessage, res: ServerResponse, next: (error?: Error) => void): void => {
    // Engine.IO takes the last of several, and an empty one for none.
    if (new URL(req.url ?? '/', 'http://node').searchParams.getAll('sid').at(-1)) return next()
    judge(req).then((refusal) => {
      if (!refusal) return next()
      metrics.handshakesRejected.inc({ reason: refusal.reason })
      refuse(req, res, refusal)
    }, next)
  }
}
