import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Audit } from '@saoma/audit'
import { type Code, codes } from '@saoma/protocol'
import type { Origins } from '../../config/origins.ts'
import { type Logger, rarely } from '../../operate/log.ts'
import type { Metrics } from '../../operate/metrics.ts'
import { notNamed } from '../http/cross-origin.ts'
import type { Limits } from '../limits.ts'
import type { RawAnswer } from './raw-sockets.ts'

export interface AdmissionOptions {
  origins: Origins
  addressOf: (req: IncomingMessage) => string
  isDraining: () => boolean
}

/** Why a handshake is refused. */
export interface HandshakeRefusal {
  code: Code
  reason: 'draining' | 'origin' | 'rate' | 'nowhere' | 'method'
  retryAfterSeconds?: number
}

/** Decides whether a new connection is admitted: `undefined` if it is. */
export type Judge = (req: IncomingMessage) => Promise<HandshakeRefusal | undefined>

/** Formats a refusal as a problem (RFC 9457). */
export const answerTo = ({ code, retryAfterSeconds }: HandshakeRefusal, nodeId: string): RawAnswer => {
  const { status, say, react } = codes[code]
  const body = JSON.stringify({ type: 'about:blank', title: say.en, status, code, react })
  const headers = {
    'Content-Type': 'application/problem+json',
    'Content-Length': String(Buffer.byteLength(body)),
    'Cache-Control': 'no-store',
    'X-Saoma-Node': nodeId,
    ...(retryAfterSeconds ? { 'Retry-After': String(retryAfterSeconds) } : {}),
  }
  return { status, headers, body }
}

export interface JudgeDeps {
  limits: Pick<Limits, 'handshakes'>
  metrics: Metrics
  audit: Pick<Audit, 'refusals'>
  log: Logger
}

/** At most one log line in this time, because a refused page retries again and again. */
const QUIET_MS = 10_000

/** Creates the judge that all doors share. */
export const createJudge = ({ limits, metrics, audit, log }: JudgeDeps, options: AdmissionOptions): Judge => {
  const foreign = rarely(QUIET_MS, (origin: string, times) =>
    log.warn({ event: 'handshake', code: 'ORIGIN_NOT_ALLOWED', reason: notNamed(origin), times }, 'a page was refused'),
  )
  return async (req) => {
    const judge = async (): Promise<HandshakeRefusal | undefined> => {
      if (options.isDraining()) return { code: 'DRAINING', reason: 'draining', retryAfterSeconds: 1 }
      if (!options.origins.admits(req.headers)) {
        foreign(req.headers.origin ?? '')
        return { code: 'ORIGIN_NOT_ALLOWED', reason: 'origin' }
      }
      const slow = await limits.handshakes(options.addressOf(req))
      return slow ? { code: 'RATE_LIMITED', reason: 'rate', retryAfterSeconds: slow.retryAfterSeconds } : undefined
    }
    const refusal = await judge()
    if (refusal) metrics.handshakesRejected.inc({ reason: refusal.reason })
    if (refusal && refusal.code !== 'DRAINING') audit.refusals.count(refusal.code)
    return refusal
  }
}

/**
 * Whether a request to Engine.IO belongs to an existing session, which was judged when it began. As in
 * Engine.IO, the last of several ids is valid, and an empty one means none.
 */
export const namesSession = ({ url = '/' }: IncomingMessage): boolean =>
  Boolean(new URL(url, 'http://node').searchParams.getAll('sid').at(-1))

/** The judge as Engine.IO middleware. */
export const createAdmission =
  (judge: Judge, nodeId: string) =>
  (req: IncomingMessage, res: ServerResponse, next: (error?: Error) => void): void => {
    // An upgrade has already been judged. Engine.IO gives it a response object of its own.
    if (!(res instanceof ServerResponse) || namesSession(req)) return next()
    judge(req).then((refusal) => {
      if (!refusal) return next()
      const { status, headers, body } = answerTo(refusal, nodeId)
      res.writeHead(status, headers).end(body)
    }, next)
  }
