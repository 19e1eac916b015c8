import { type Code, codes, parseOAuthError, parseProblem, type Reaction, type Result } from '@saoma/protocol'
import { boundBy } from './bound.ts'

/**
 * Why a request has no value. `code` is one of the protocol, one of OAuth, `NETWORK` (no answer), `MALFORMED`
 * (not our server) or `UNEXPECTED` (a fault of the program or of the browser).
 */
export interface Failure {
  ok: false
  code: string
  react: Reaction
  /** An English sentence for logs; pages translate by `code`. */
  message: string
  /** What the server asked for with `Retry-After`. */
  retryAfterMs?: number
}

export type Answer<T> = { ok: true; value: T } | Failure

export interface RequestOptions<T> {
  fetch: typeof fetch
  url: string
  init: RequestInit
  parse: (body: unknown, headers: Headers) => Result<T>
  timeoutMs: number
  signal?: AbortSignal | undefined
}

/** The failure that a code of the protocol stands for. */
export const failureFor = (code: Code): Failure => ({
  ok: false,
  code,
  react: codes[code].react,
  message: codes[code].say.en,
})

const oauthReactions: Record<string, Reaction> = {
  authorization_pending: 'retry',
  slow_down: 'retry',
  temporarily_unavailable: 'retry',
  server_error: 'retry',
  expired_token: 'renew',
  invalid_grant: 'renew',
}

const retryAfterMs = (headers: Headers): { retryAfterMs?: number } => {
  const value = headers.get('retry-after')
  if (!value) return {}
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - Date.now()
  return Number.isFinite(ms) ? { retryAfterMs: Math.max(0, ms) } : {}
}

/** Reads the two error forms of the server, and whatever a proxy between us and it may say. */
export const failureOf = (response: Response, body: unknown): Failure => {
  const wait = retryAfterMs(response.headers)
  const problem = parseProblem(body)
  if (problem.ok) {
    const { code, react, detail } = problem.value
    const message = detail ?? codes[code].say.en
    if (code === 'ORIGIN_NOT_ALLOWED') console.warn(`Saoma: ${message}`)
    return { ok: false, code, react, message, ...wait }
  }
  const passing = response.status >= 500 || response.status === 429
  const oauth = parseOAuthError(body)
  if (oauth.ok) {
    const code = oauth.value.error
    const react = passing ? 'retry' : (oauthReactions[code] ?? 'stop')
    return { ok: false, code, react, message: oauth.value.error_description ?? code, ...wait }
  }
  return passing
    ? { ok: false, code: 'NETWORK', react: 'retry', message: `The server answered ${response.status}.`, ...wait }
    : { ok: false, code: 'MALFORMED', react: 'stop', message: `Unexpected answer ${response.status}.` }
}

/**
 * One request with a bound on its time. Resolves with a value or a failure; it rejects for no reason of the
 * network's.
 */
export const request = async <T>(options: RequestOptions<T>): Promise<Answer<T>> => {
  const { fetch } = options // As a method of `options`, the browser's own would refuse to run.
  const { signal, release } = boundBy([options.signal], options.timeoutMs)
  try {
    const response = await fetch(options.url, { cache: 'no-store', ...options.init, signal })
    const body: unknown = await response.json().catch((error: unknown) => {
      if (signal.aborted) throw error
      return undefined // A body that is not JSON is a finding, not a fault of the network.
    })
    if (!response.ok) return failureOf(response, body)
    const parsed = options.parse(body, response.headers)
    return parsed.ok ? parsed : malformed()
  } catch (error) {
    return unanswered(error)
  } finally {
    release()
  }
}

/** What came is not of the form we know. */
export const malformed = (): Failure => ({
  ok: false,
  code: 'MALFORMED',
  react: 'stop',
  message: 'The answer is not of the form we know.',
})

/** Something was thrown that nobody foresaw; a person can try again. */
export const unexpected = (cause: unknown): Failure => ({
  ok: false,
  code: 'UNEXPECTED',
  react: 'renew',
  message: cause instanceof Error ? cause.message : String(cause),
})

/** Nothing came. */
export const unanswered = (cause: unknown): Failure => ({
  ok: false,
  code: 'NETWORK',
  react: 'retry',
  message: cause instanceof Error ? cause.message : String(cause),
})

/** A form body, as the OAuth endpoints take it. */
export const form = (fields: Record<string, string>): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
  body: new URLSearchParams(fields).toString(),
})
