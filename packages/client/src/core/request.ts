import { type Code, codes, parseOAuthError, parseProblem, type Reaction, type Result } from '@saoma/protocol'
import { boundBy } from './bound.ts'

/**
 * Why a request failed. `code` is a code of the protocol or of OAuth, or `NETWORK` (no answer), `MALFORMED`
 * (not our server's answer) or `UNEXPECTED` (a fault of the program or the browser).
 */
export interface Failure {
  ok: false
  code: string
  react: Reaction
  /** An English sentence for logs. Pages translate by `code`. */
  message: string
  /** The server's `Retry-After`. */
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

/** The failure for a code of the protocol. */
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

/** Reads the server's two error forms, and any answer of a proxy in between. */
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
 * Sends one request with a timeout. Resolves with a value or a failure. A network error never makes it
 * reject.
 */
export const request = async <T>(options: RequestOptions<T>): Promise<Answer<T>> => {
  const { fetch } = options // Called as a method of `options`, the browser's `fetch` would throw.
  const { signal, release } = boundBy([options.signal], options.timeoutMs)
  try {
    const response = await fetch(options.url, { cache: 'no-store', ...options.init, signal })
    const body: unknown = await response.json().catch((error: unknown) => {
      if (signal.aborted) throw error
      return undefined // A body that is not JSON is a result, not a network error.
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

/** The answer does not have the expected form. */
export const malformed = (): Failure => ({
  ok: false,
  code: 'MALFORMED',
  react: 'stop',
  message: 'The answer does not have the expected form.',
})

/** An unforeseen exception; the person can try again. */
export const unexpected = (cause: unknown): Failure => ({
  ok: false,
  code: 'UNEXPECTED',
  react: 'renew',
  message: cause instanceof Error ? cause.message : String(cause),
})

/** There was no answer. */
export const unanswered = (cause: unknown): Failure => ({
  ok: false,
  code: 'NETWORK',
  react: 'retry',
  message: cause instanceof Error ? cause.message : String(cause),
})

/** A form body, as the OAuth endpoints expect it. */
export const form = (fields: Record<string, string>): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
  body: new URLSearchParams(fields).toString(),
})
