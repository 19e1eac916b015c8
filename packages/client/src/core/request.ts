import {
  type Code,
  codes,
  type EndNotice,
  parseOAuthError,
  parseProblem,
  type Reaction,
  type Result,
} from '@saoma/protocol'
import { boundBy } from './bound.ts'
import { proven } from './proof.ts'

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
  /** The server's own words. For `ACCOUNT_REFUSED` they are the business's sentence for the person. */
  detail?: string
  /** The server's `Retry-After`, in milliseconds. */
  retryAfterMs?: number
  /** With `VERIFICATION_WRONG`: how many more numbers may be tried. With 0 the login was refused. */
  left?: number
  /** Why the server ended the session, if it says more than that. */
  ended?: EndNotice
}

/** A value, or the reason why there is none. Calls that ask the server resolve with it, and never reject. */
export type Answer<T> = { ok: true; value: T } | Failure

/** One request, and how to read its answer. */
export interface RequestOptions<T> {
  fetch: typeof fetch
  url: string
  init: RequestInit
  /** Reads a 2xx answer: its JSON, or undefined if it has none. What does not fit becomes `MALFORMED`. */
  parse: (body: unknown, headers: Headers) => Result<T>
  /** Milliseconds from the call to the end of the answer. */
  timeoutMs: number
  /** Gives the request up; it then resolves with `NETWORK`. */
  signal?: AbortSignal | undefined
}

/** The failure for a code of the protocol. `reason` is the sentence of whoever ended the session. */
export const failureFor = (code: Code, reason?: string): Failure => ({
  ok: false,
  code,
  react: codes[code].react,
  message: codes[code].say.en,
  ...endedBy(code, reason),
})

const endedBy = (code: Code, reason: string | undefined): { ended?: EndNotice } =>
  code === 'REPLACED' || reason !== undefined ? { ended: { code, ...(reason === undefined ? {} : { reason }) } } : {}

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
    const { code, react, detail, reason, left } = problem.value
    const message = detail ?? codes[code].say.en
    if (code === 'ORIGIN_NOT_ALLOWED') console.warn(`Saoma: ${message}`)
    const more = { ...(detail ? { detail } : {}), ...(left === undefined ? {} : { left }) }
    return { ok: false, code, react, message, ...more, ...wait, ...endedBy(code, reason) }
  }
  const passing = response.status >= 500 || response.status === 429
  const oauth = parseOAuthError(body)
  if (oauth.ok) {
    const code = oauth.value.error
    const react = passing ? 'retry' : (oauthReactions[code] ?? 'stop')
    const { code: why, reason, error_description: message = code } = oauth.value
    const ended = why ? { ended: { code: why, ...(reason === undefined ? {} : { reason }) } } : {}
    return { ok: false, code, react, message, ...wait, ...ended }
  }
  return passing
    ? { ok: false, code: 'NETWORK', react: 'retry', message: `The server answered ${response.status}.`, ...wait }
    : { ok: false, code: 'MALFORMED', react: 'stop', message: `Unexpected answer ${response.status}.` }
}

/**
 * Sends one request with a timeout. A `Bearer` token that is bound to a key of this browser (RFC 9449) goes
 * out as `DPoP`, with a proof. Resolves with a value or a failure, and never rejects: without an answer
 * in time the failure is `NETWORK`, for an answer that is not as expected `MALFORMED`. It does not retry.
 *
 * @example
 * ```ts
 * import { request } from '@saoma/client'
 * import { parseSessionList } from '@saoma/protocol'
 *
 * const answer = await request({
 *   fetch,
 *   url: 'https://login.example.com/v1/sessions',
 *   init: { headers: { authorization: 'Bearer x.y.z' } },
 *   parse: parseSessionList,
 *   timeoutMs: 10_000,
 * })
 * if (!answer.ok) console.log(answer.code, answer.react) // -> UNAUTHORIZED reauth
 * ```
 */
export const request = async <T>(options: RequestOptions<T>): Promise<Answer<T>> => {
  const { fetch } = options // Called as a method of `options`, the browser's `fetch` would throw.
  const { signal, release } = boundBy([options.signal], options.timeoutMs)
  try {
    const proving = proven(options.url, options.init)
    // Without a proof it goes out in this turn: the page may be about to close.
    const init = proving ? await proving : options.init
    const response = await fetch(options.url, { cache: 'no-store', ...init, signal })
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

/**
 * A POST with a form body, `application/x-www-form-urlencoded`, as the OAuth endpoints expect it.
 *
 * @example
 * ```ts
 * import { form, request } from '@saoma/client'
 * import { parseDeviceAuthorization } from '@saoma/protocol'
 *
 * const answer = await request({
 *   fetch,
 *   url: 'https://login.example.com/oidc/device/auth',
 *   init: form({ client_id: 'web', scope: 'openid' }),
 *   parse: parseDeviceAuthorization,
 *   timeoutMs: 10_000,
 * })
 * console.log(answer.ok && answer.value.expires_in) // -> 120
 * ```
 */
export const form = (fields: Record<string, string>, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json', ...headers },
  body: new URLSearchParams(fields).toString(),
})
