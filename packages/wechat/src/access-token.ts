import { type RedisClients, RedisUnavailable } from '@saoma/redis'
import type { WechatEvent } from './events.ts'
import { type Failed, failureOf, remedyOf, unavailable, type WechatFailure } from './failure.ts'
import type { Outcome } from './request.ts'
import { pause } from './retry-wait.ts'
import { AHEAD_MS, createSharedToken, type SharedToken, type Turn } from './shared-token.ts'

/** An answer of stable_token. */
export interface Grant {
  access_token: string
  /** Seconds. */
  expires_in: number
}

export type TokenResult = { ok: true; token: string } | WechatFailure

export interface AccessTokenDeps {
  redis: RedisClients
  appid: string
  secret: string
  /** Asks WeChat once, in bounded time. */
  ask: (force: boolean, signal: AbortSignal) => Promise<Outcome<Grant>>
  /** Longest time that `ask` takes. */
  askMs: number
  onEvent: (event: WechatEvent) => void
  closing: AbortSignal
}

/** How long a token is used without asking Redis: so long a refresh by another node may go unnoticed. */
const TRUST_MS = 60_000
/** The same near the token's end. */
const SHORT_TRUST_MS = 1_000
/** The same while Redis is away: one that hangs takes seconds to be given up. */
const AWAY_TRUST_MS = 10_000
/**
 * A search for a token ends after this, so that some of a request's eight seconds remain for the call itself.
 */
const OBTAIN_MS = 6_500
/** Fetches of one search. */
const FETCHES = 3
/** Wrong credentials stay wrong for a while: asking at every request would make WeChat suspicious. */
const MISCONFIGURED_MS = 5_000
/** On top of `askMs`: two trips to Redis. */
const LOCK_MARGIN_MS = 1_000

interface Known extends SharedToken {
  /** When it runs out, and until when it is used unasked; both of this process's monotonic clock. */
  until: number
  trustedUntil: number
}

const NONE = { token: '', value: '' }

type Fetched = { ok: true; known: Known } | { ok: false; failure: WechatFailure; passing: boolean }

/**
 * The stable access token of the app, one for the whole cluster. Redis holds it; one node at a time fetches,
 * and the others use the old token while it lasts or wait. If that node dies the next goes on when the lock
 * runs out.
 *
 * A node that cannot ask Redis fetches for itself: without force_refresh every caller gets the same token, so
 * no harm is done.
 */
export const createAccessToken = (deps: AccessTokenDeps) => {
  const { redis, appid, secret, ask, askMs, onEvent, closing } = deps
  const claim = createSharedToken(redis, appid, secret, askMs + LOCK_MARGIN_MS)
  const now = (): number => performance.now()

  let known: Known | undefined
  /** The last token that WeChat refused: not to be taken from Redis again. */
  let refused = NONE
  let search: Promise<TokenResult> | undefined
  let barred: { failure: WechatFailure; until: number } | undefined

  const keep = (shared: SharedToken): Known => {
    const trustMs = Math.min(Math.max(shared.leftMs - AHEAD_MS, SHORT_TRUST_MS), TRUST_MS, shared.leftMs)
    known = { ...shared, until: now() + shared.leftMs, trustedUntil: now() + trustMs }
    return known
  }

  const fail = (outcome: Failed): Fetched => {
    const failure = failureOf(outcome, 'misconfigured')
    if (failure.kind === 'misconfigured') barred = { failure, until: now() + MISCONFIGURED_MS }
    return { ok: false, failure, passing: remedyOf(outcome) === 'retry' }
  }

  /** Asks WeChat; by force only if it insists on the token that was refused, and only if this turn may. */
  const fetchToken = async (signal: AbortSignal, turn?: Turn): Promise<Fetched> => {
    let started = now()
    let forced = false
    let outcome = await ask(false, signal)
    // The normal mode helps where a token ran out or another system replaced it, and it does not end
    // anybody's token.
    if (outcome.kind === 'answer' && outcome.value.access_token === refused.token) {
      forced = (await turn?.mayForce()) ?? false
      if (forced) {
        started = now()
        outcome = await ask(true, signal)
      }
    }
    if (outcome.kind !== 'answer') return fail(outcome)
    const { access_token: token, expires_in } = outcome.value
    // If it may not be forced, or that changed nothing, the token gets another chance: WeChat says it is the
    // right one.
    if (token === refused.token) refused = NONE
    const leftMs = Math.floor(Math.max(expires_in * 1000 - (now() - started), 1))
    onEvent({ kind: 'token-fetched', lifeMs: leftMs, forced })
    return { ok: true, known: keep({ token, value: '', leftMs }) }
  }

  const takeTurn = async (turn: Turn, signal: AbortSignal): Promise<Fetched> => {
    const fetched = await fetchToken(signal, turn)
    try {
      if (fetched.ok) fetched.known.value = await turn.settle(fetched.known.token, fetched.known.leftMs)
      else await turn.settle()
    } catch (error) {
      // Then the lock runs out by itself, and what we fetched is good for us all the same.
      if (!(error instanceof RedisUnavailable)) throw error
    }
    return fetched
  }

  const alone = async (signal: AbortSignal): Promise<TokenResult> => {
    onEvent({ kind: 'redis-away' })
    if (known && known.until > now() && known.token !== refused.token) {
      known.trustedUntil = Math.min(now() + AWAY_TRUST_MS, known.until)
      return { ok: true, token: known.token }
    }
    const fetched = await fetchToken(signal)
    return fetched.ok ? { ok: true, token: fetched.known.token } : fetched.failure
  }

  const obtain = async (signal: AbortSignal): Promise<TokenResult> => {
    let failure = unavailable('no node could fetch an access token in time')
    let fetches = 0
    for (let round = 1; ; round++) {
      const { value, shared, turn } = await claim(refused.value)
      if (shared && shared.token !== refused.token) {
        // Near its end it still works, so nobody waits for the next one. If that fails, a later claim tries
        // again.
        if (turn) takeTurn(turn, closing).catch(() => {})
        return { ok: true, token: keep(shared).token }
      }
      if (value) {
        // The refused token, stored once more, or one that our secret does not open: passed over by the next
        // claim.
        refused = { token: refused.token, value }
        await turn?.settle()
      } else if (turn) {
        const fetched = await takeTurn(turn, signal)
        if (fetched.ok) return { ok: true, token: fetched.known.token }
        failure = fetched.failure
        if (!fetched.passing || ++fetches === FETCHES) return failure
      }
      if (!(await pause(Math.min(round, FETCHES), signal))) return failure
    }
  }

  const startSearch = async (): Promise<TokenResult> => {
    const signal = AbortSignal.any([closing, AbortSignal.timeout(OBTAIN_MS)])
    try {
      return await obtain(signal)
    } catch (error) {
      if (error instanceof RedisUnavailable) return alone(signal)
      throw error
    }
  }

  const get = async (): Promise<TokenResult> => {
    if (known && known.trustedUntil > now()) return { ok: true, token: known.token }
    if (barred && barred.until > now()) return barred.failure
    search ??= startSearch().finally(() => {
      search = undefined
    })
    return search
  }

  return {
    /** A token that works as far as we know. Settles within seconds. */
    get,

    /** Another token than the one WeChat just refused, if there can be one. */
    renew: async (token: string): Promise<TokenResult> => {
      if (known?.token === token) {
        refused = { token, value: known.value }
        known = undefined
      }
      const next = await get()
      // A search that had begun before may come back with the token we just gave up.
      return next.ok && next.token === token ? get() : next
    },
  }
}
