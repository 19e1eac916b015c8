import { randomBytes } from 'node:crypto'
import type { Clock } from './clock.ts'
import type { Limits } from './limits.ts'
import { createQuota, DAY_MS } from './quota.ts'

const LIFETIME_MS = 7_200_000
/**
 * An old token stays valid beside its successor for this long. A stable token is replaced when less than this
 * is left of its life.
 */
const OVERLAP_MS = 300_000
const FORCE_GAP_MS = 30_000
/** Tokens that are stored, to distinguish an old token from an unknown one. */
const REMEMBERED = 1_000
const FORM = /^\d+_[\w-]{100,500}$/

interface Issued {
  value: string
  until: number
  /** The errcode after its end: 42001 it expired, 40001 another token replaced it. */
  endsAs: 42001 | 40001
  /** Refused before it expires; see `refuse`. */
  refused: boolean
}

export interface Grant {
  access_token: string
  /** Seconds. */
  expires_in: number
}

/** The access tokens of one account. The tokens of the two endpoints are independent. */
export const createTokens = (clock: Clock, limits: Limits) => {
  const issued = new Map<string, Issued>()
  const minted = { normal: 0, stable: 0, forced: 0 }
  const mayForce = createQuota(clock, limits.forcedPerDay, DAY_MS)
  let normal: Issued | undefined
  let stable: Issued | undefined
  let lastForced = Number.NEGATIVE_INFINITY

  const mint = (): Issued => {
    const token: Issued = {
      value: `${minted.normal + minted.stable}_${randomBytes(96).toString('base64url')}`,
      until: clock.now() + LIFETIME_MS,
      endsAs: 42001,
      refused: false,
    }
    issued.set(token.value, token)
    const oldest = issued.keys().next().value
    if (issued.size > REMEMBERED && oldest) issued.delete(oldest)
    return token
  }

  const supersede = (token: Issued | undefined, overlapMs: number): void => {
    if (!token || token.until <= clock.now()) return
    token.until = Math.min(token.until, clock.now() + overlapMs)
    token.endsAs = 40001
  }

  const grant = (token: Issued): Grant => ({
    access_token: token.value,
    expires_in: Math.floor((token.until - clock.now()) / 1000),
  })

  return {
    minted,

    /** `/cgi-bin/token`: a new token at every call. */
    normal: (): Grant => {
      supersede(normal, OVERLAP_MS)
      minted.normal++
      normal = mint()
      return grant(normal)
    },

    /** `/cgi-bin/stable_token`: the same token until its last five minutes. */
    stable: (): Grant => {
      if (!stable || stable.until - clock.now() < OVERLAP_MS) {
        minted.stable++
        stable = mint()
      }
      return grant(stable)
    },

    /**
     * `force_refresh`: replaces the stable token at once. Within 30 s of the last forced refresh it changes
     * nothing. Undefined if the daily quota is used up.
     */
    force: (): Grant | undefined => {
      if (stable && clock.now() - lastForced < FORCE_GAP_MS) return grant(stable)
      if (!mayForce()) return undefined
      supersede(stable, 0)
      lastForced = clock.now()
      minted.stable++
      minted.forced++
      stable = mint()
      return grant(stable)
    },

    /** The errcode that refuses this token; undefined for a valid token. */
    refusal: (value: string | null): number | undefined => {
      if (!value) return 41001
      if (!FORM.test(value)) return 40014
      const token = issued.get(value)
      if (!token || token.refused) return 40001
      return token.until > clock.now() ? undefined : token.endsAs
    },

    /**
     * For tests: refuses all issued tokens. stable_token goes on returning the refused one until a forced
     * refresh.
     */
    refuse: (): void => {
      for (const token of issued.values()) token.refused = true
    },

    /** For tests: lets all tokens expire. */
    expire: (): void => {
      for (const token of issued.values()) token.until = Math.min(token.until, clock.now())
    },
  }
}

export type Tokens = ReturnType<typeof createTokens>
