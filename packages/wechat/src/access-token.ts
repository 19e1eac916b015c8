import { type RedisClients, RedisUnavailable } from '@saoma/redis'
import type { WechatEvent } from './events.ts'
import { type Failed, failureOf, remedyOf, unavailable, type WechatFailure } from './failure.ts'
import type { Outcome } from './request.ts'
import { pause } from './retry-wait.ts'
import { AHEAD_MS, createSharedToken, type SharedToken, type Turn } from './shared-token.ts'

/** Answer of stable_token. */
export interface Grant {
  access_token: string
  /** Lifetime in seconds. */
  expires_in: number
}

export type TokenResult = { ok: true; token: string } | WechatFailure

export interface AccessTokenDeps {
  redis: RedisClients
  appid: string
  secret: string
  /** Sends one request to WeChat, with a timeout. */
  ask: (force: boolean, signal: AbortSignal) => Promise<Outcome<Grant>>
  /** Longest duration of `ask`. */
  askMs: number
  onEvent: (event: WechatEvent) => void
  closing: AbortSignal
}

/** How long a token is used without reading Redis. Another node's refresh may stay unnoticed for so long. */
const TRUST_MS = 60_000
/** The same near the token's expiry. */
const SHORT_TRUST_MS = 1_000
/** The same while Redis is unavailable: when Redis hangs, each try takes seconds to time out. */
const AWAY_TRUST_MS = 10_000
/** Timeout of a search for a token. Some of a request's eight seconds must remain for the call itself. */
const OBTAIN_MS = 6_500
/** Most fetches in one search. */
const FETCHES = 3
/** Wrong credentials stay wrong for a while. A request to WeChat for every login would look suspicious. */
const MISCONFIGURED_MS = 5_000
/** Added to `askMs`: two round trips to Redis. */
const LOCK_MARGIN_MS = 1_000

interface Known extends SharedToken {
  /**
   * When it expires, and until when it is used without reading Redis. Both by this process's monotonic clock.
   */
  until: number
  trustedUntil: number
}

const NONE = { token: '', value: '' }

type Fetched = { ok: true; known: Known } | { ok: false; failure: WechatFailure; passing: boolean }

/**
 * The app's stable access token, one for the whole cluster. It is stored in Redis. One node at a time
 * fetches; the others use the old token while it is valid, or wait. If that node dies, another one continues
 * when the lock expires.
 *
 * A node without Redis fetches for itself. Without force_refresh every caller gets the same token, so this
 * does no harm.
 */
export const createAccessToken = (deps: AccessTokenDeps) => {
  const { redis, appid, secret, ask, askMs, onEvent, closing } = deps
  const claim = createSharedToken(redis, appid, secret, askMs + LOCK_MARGIN_MS)
  const now = (): number => performance.now()

  let known: Known | undefined
  /** The last token that WeChat refused. It is not taken from Redis again. */
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

  /**
   * Fetches a token from WeChat. It forces a refresh only if WeChat returns the refused token again, and if
   * this turn may force.
   */
  const fetchToken = async (signal: AbortSignal, turn?: Turn): Promise<Fetched> => {
    let started = now()
    let forced = false
    let outcome = await ask(false, signal)
    // The normal mode is enough if the token has expired or another system has replaced it, and it
    // invalidates no token.
    if (outcome.kind === 'answer' && outcome.value.access_token === refused.token) {
      forced = (await turn?.mayForce()) ?? false
      if (forced) {
        started = now()
        outcome = await ask(true, signal)
      }
    }
    if (outcome.kind !== 'answer') return fail(outcome)
    const { access_token: token, expires_in } = outcome.value
    // The refresh was not forced, or forcing changed nothing. WeChat insists that the token is right, so try
    // it again.
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
      // The lock will expire by itself. This node can use the fetched token in any case.
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
        // A token near its expiry still works, so nobody waits for the next one. If this fetch fails, a later
        // claim tries again.
        if (turn) takeTurn(turn, closing).catch(() => {})
        return { ok: true, token: keep(shared).token }
      }
      if (value) {
        // Either the refused token, stored once more, or a token that our secret does not decrypt. The next
        // claim skips it.
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
    /** Returns a token that works as far as we know. Settles within seconds. */
    get,

    /** Returns another token than the one that WeChat just refused, if possible. */
    renew: async (token: string): Promise<TokenResult> => {
      if (known?.token === token) {
        refused = { token, value: known.value }
        known = undefined
      }
      const next = await get()
      // An earlier search may return the token that we just gave up.
      return next.ok && next.token === token ? get() : next
    },
  }
}
