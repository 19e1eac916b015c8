import {
  type EndNotice,
  fail,
  HASHED_TOKEN,
  ok,
  parseTokenSet,
  type Result,
  TAKES_HASHES_HEADER,
  type TokenSet,
} from '@saoma/protocol'
import { backoffMs, pause } from '../core/backoff.ts'
import { boundBy } from '../core/bound.ts'
import { decodeClaims, isClaims } from '../core/claims.ts'
import { createEmitter } from '../core/emitter.ts'
import { authorize, bindingOf } from '../core/proof.ts'
import { type Answer, type Failure, failureFor, form, request, unanswered } from '../core/request.ts'
import { retry } from '../core/retry.ts'
import { browserStorage, createStored } from '../core/storage.ts'
import { createFarewells } from './farewells.ts'
import type { Session, SessionEvents, SessionOptions } from './session-options.ts'

export type { Session, SessionEvents, SessionOptions } from './session-options.ts'

interface Kept {
  tokens: TokenSet
  expiresAt: number
}

const REQUEST_TIMEOUT_MS = 10_000
/** How long before its expiry a token is refreshed, so that it does not expire in transit. */
const AHEAD_MS = 30_000
const REFRESH_ATTEMPTS = 4
const RETRY = { baseMs: 400, capMs: 4_000 }

/**
 * The tokens of this browser's login: those in `storage`, then those of `adopt`. It asks the server only to
 * refresh and to log out. Its methods resolve with an answer or a failure, and never reject.
 *
 * @example
 * ```ts
 * import { createSession } from '@saoma/client'
 *
 * const session = createSession({ origin: 'https://login.example.com' })
 * session.on('ended', ({ reason }) => console.log(reason)) // -> logout
 * const answer = await session.accessToken()
 * console.log(session.claims?.name, answer.ok) // -> Ann true
 * const mine = await session.authorize({ method: 'GET', url: 'https://shop.example.com/orders' })
 * console.log(mine.ok && mine.value.authorization?.slice(0, 6)) // -> Bearer
 * const person = await session.userinfo()
 * console.log(person.ok && person.value.name) // -> Ann
 * const other = await session.refresh()
 * console.log(other.ok && answer.ok && other.value === answer.value) // -> false
 * console.log((await session.recheck()).ok) // -> true
 * console.log(await session.logout()) // -> { ended: true }
 * session.close()
 * ```
 */
export const createSession = (options: SessionOptions): Session => {
  const { clientId = 'web', random = Math.random, dpop = false } = options
  const origin = options.origin.replace(/\/+$/, '')
  const fetch = options.fetch ?? globalThis.fetch
  const locks = options.locks ?? (globalThis.navigator as Partial<Navigator> | undefined)?.locks
  const storage = options.storage ?? browserStorage('localStorage')
  const stored = createStored(storage, `saoma:session:${origin}:${clientId}`)
  const events = createEmitter<SessionEvents>()
  const closing = new AbortController()
  /** Aborted and replaced when the tokens end. */
  let ending = new AbortController()
  let inFlight: Promise<Answer<string>> | undefined
  /** Set by `recheck`: the session may have been ended elsewhere. */
  let doubted: Pick<Failure, 'ended'> | undefined

  const readKept = (): Kept | undefined => {
    const { tokens, expiresAt } = (stored.read() ?? {}) as { tokens?: unknown; expiresAt?: unknown }
    const parsed = parseTokenSet(tokens)
    return parsed.ok && typeof expiresAt === 'number' ? { tokens: parsed.value, expiresAt } : undefined
  }

  let kept = readKept()

  const adopt = (tokens: TokenSet) => {
    kept = { tokens, expiresAt: Date.now() + tokens.expires_in * 1_000 }
    stored.write(kept)
    events.emit('changed', tokens)
  }

  const end = (given: SessionEvents['ended']['reason'], told?: EndNotice) => {
    if (!kept) return
    kept = undefined
    ending.abort()
    ending = new AbortController()
    if (given !== 'elsewhere') stored.clear()
    const reason = given !== 'logout' && (doubted || told) ? 'revoked' : given
    const notice = reason === 'revoked' ? (told?.reason ? told : (doubted?.ended ?? told)) : undefined
    const saysMore = notice && (notice.code !== 'REVOKED' || notice.reason !== undefined)
    events.emit('ended', saysMore ? { reason, notice } : { reason })
  }

  /** Takes over the stored tokens: another tab may have refreshed or logged out meanwhile. */
  const syncWithTabs = () => {
    const theirs = readKept()
    if (!theirs) return end('elsewhere')
    if (theirs.tokens.access_token === kept?.tokens.access_token) return
    kept = theirs
    events.emit('changed', theirs.tokens)
  }

  const isFresh = (): boolean => kept !== undefined && Date.now() < kept.expiresAt - AHEAD_MS

  const revoke = async (token: string): Promise<Answer<boolean>> => {
    const answer = await request({
      fetch,
      url: `${origin}/oidc/token/revocation`,
      init: { ...form({ token, token_type_hint: 'refresh_token', client_id: clientId }), keepalive: true },
      parse: (_, headers) => ({ ok: true, value: headers.has(TAKES_HASHES_HEADER) }),
      timeoutMs: REQUEST_TIMEOUT_MS,
    })
    // During an update or a rollback, older nodes take the hash for an unknown token and answer 200.
    const isDeaf = answer.ok && !answer.value && token.startsWith(HASHED_TOKEN)
    return isDeaf ? unanswered('This server does not accept a hash of a token yet.') : answer
  }

  const farewells = createFarewells({
    stored: createStored(storage, `saoma:logout:${origin}:${clientId}`),
    tell: revoke,
    random,
    signal: closing.signal,
  })
  farewells.resume()

  /** One request with an access token. */
  const ask = <T>(path: string, accessToken: string, parse: (body: unknown) => Result<T>, init: RequestInit = {}) =>
    request({
      fetch,
      url: `${origin}/${path}`,
      init: { ...init, headers: { authorization: `Bearer ${accessToken}` } },
      parse,
      timeoutMs: REQUEST_TIMEOUT_MS,
    })

  /**
   * Without a refresh token there is nothing to revoke. So this ends the session, and its access token, by
   * the list of the person's sessions.
   */
  const endByAccess = async (accessToken: string): Promise<boolean> => {
    const sid = decodeClaims(accessToken)?.sid
    if (!sid) return false
    const end = () =>
      ask(`v1/sessions/${encodeURIComponent(sid)}`, accessToken, () => ok(true), { method: 'DELETE', keepalive: true })
    const answer = await retry(end, { withinMs: REQUEST_TIMEOUT_MS, random, signal: closing.signal })
    // If the token is refused, the session is over already.
    return answer.ok || answer.react === 'reauth'
  }

  /** Whether the server has ended the session of these tokens. */
  const tellOfEnd = async ({ refresh_token: refreshToken, access_token: accessToken }: TokenSet): Promise<boolean> => {
    if (!refreshToken) return endByAccess(accessToken)
    const farewell = farewells.begin(refreshToken)
    const answer = await revoke(refreshToken)
    if (answer.ok || answer.react !== 'retry') farewell.done()
    else farewell.later()
    return answer.ok
  }

  /** A pause that ends early when the session ends or is closed. */
  const rest = async (ms: number, ended: AbortSignal) => {
    const { signal, release } = boundBy([closing.signal, ended])
    await pause(ms, signal)
    release()
  }

  const exchange = async (): Promise<Answer<string>> => {
    for (let attempt = 1; ; attempt++) {
      const refreshToken = kept?.tokens.refresh_token
      if (!refreshToken) return failureFor('UNAUTHORIZED')
      const ended = ending.signal
      const bound = boundBy([closing.signal, ended])
      const url = `${origin}/oidc/token`
      // What is bound stays bound, whatever this page asks for now.
      const binding = await bindingOf(kept?.tokens.token_type === 'DPoP' || dpop, url, clientId)
      const fields = { grant_type: 'refresh_token', refresh_token: refreshToken, client_id: clientId }
      const answer = binding.ok
        ? await request({
            fetch,
            url,
            init: form(fields, binding.value),
            parse: parseTokenSet,
            timeoutMs: REQUEST_TIMEOUT_MS,
            signal: bound.signal,
          })
        : binding
      bound.release()
      // A logout or login may have happened meanwhile, here or in another tab; without locks, also another
      // tab's refresh.
      syncWithTabs()
      if (kept?.tokens.refresh_token !== refreshToken) {
        if (answer.ok && ended.aborted) void tellOfEnd(answer.value)
        return kept && isFresh() ? { ok: true, value: kept.tokens.access_token } : exchange()
      }
      if (answer.ok) {
        // RFC 6749 section 6: a server that does not rotate sends no new refresh token. The id_token is
        // optional, too.
        adopt({ ...kept.tokens, ...answer.value })
        return { ok: true, value: answer.value.access_token }
      }
      if (answer.code === 'invalid_grant') end('refused', answer.ended)
      if (answer.react !== 'retry') return answer
      if (attempt === REFRESH_ATTEMPTS || closing.signal.aborted) return answer
      await rest(Math.max(answer.retryAfterMs ?? 0, backoffMs(attempt, RETRY, random)), ended)
    }
  }

  /** Runs one refresh at a time over all tabs. */
  const exclusively = (run: () => Promise<Answer<string>>): Promise<Answer<string>> => {
    inFlight = (locks ? Promise.resolve(locks.request(stored.key, run)) : run()).finally(() => {
      inFlight = undefined
    })
    return inFlight
  }

  const refresh = (): Promise<Answer<string>> => {
    if (inFlight) return inFlight
    const before = kept?.tokens.access_token
    return exclusively(async () => {
      syncWithTabs()
      if (kept && kept.tokens.access_token !== before && isFresh()) return { ok: true, value: kept.tokens.access_token }
      return exchange()
    })
  }

  const recheck = async (why: Pick<Failure, 'ended'> = {}): Promise<Answer<string>> => {
    // A running refresh may have been answered before the session ended.
    while (inFlight) await inFlight
    if (!kept) return failureFor('UNAUTHORIZED')
    doubted = why
    try {
      if (!kept.tokens.refresh_token) end('refused') // Nothing to check with: believe the REVOKED.
      return await exclusively(async () => {
        syncWithTabs()
        return exchange()
      })
    } finally {
      doubted = undefined
    }
  }

  const onStorage = (event: StorageEvent) => {
    if (event.key === stored.key || event.key === null) syncWithTabs()
  }
  const inBrowser = typeof document !== 'undefined'
  if (inBrowser) addEventListener('storage', onStorage)

  const accessToken = async (): Promise<Answer<string>> => {
    if (!kept) return failureFor('UNAUTHORIZED')
    if (isFresh()) return { ok: true, value: kept.tokens.access_token }
    const answer = await refresh()
    // The early refresh failed, but the present token is still valid.
    if (!answer.ok && answer.react === 'retry' && kept && Date.now() < kept.expiresAt)
      return { ok: true, value: kept.tokens.access_token }
    return answer
  }

  return {
    origin,
    clientId,
    dpop,
    get tokens() {
      return kept?.tokens
    },
    get claims() {
      return decodeClaims(kept?.tokens.id_token)
    },
    get expiresAt() {
      return kept?.expiresAt
    },
    on: events.on,
    adopt,
    accessToken,
    authorize: (wanted) => authorize(wanted, accessToken),
    refresh,
    recheck,
    userinfo: async () => {
      const token = await accessToken()
      if (!token.ok) return token
      const answer = await ask('oidc/me', token.value, (body) => (isClaims(body) ? ok(body) : fail('INVALID')))
      if (!answer.ok && answer.code === 'REVOKED') await recheck(answer)
      return answer
    },
    logout: async () => {
      const tokens = kept?.tokens
      end('logout')
      return { ended: tokens ? await tellOfEnd(tokens) : true }
    },
    close: () => {
      closing.abort()
      if (inBrowser) removeEventListener('storage', onStorage)
    },
  }
}
