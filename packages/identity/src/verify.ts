import { fail, ok, type Result } from '@saoma/protocol'
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, errors, type JWK, jwtVerify } from 'jose'
import { LRUCache } from 'lru-cache'
import * as v from 'valibot'

/** The claims of an access token. */
export interface Bearer {
  sub: string
  clientId: string
  scope: string
  /** The session of the token; phone tokens have none. */
  sid?: string
  /** Rooms of which this token makes the person a member. */
  rooms?: readonly string[]
  /** Seconds since the epoch. */
  exp: number
}

/** A token, and what decides where it counts. */
export interface VerifiedToken extends Bearer {
  /** Whom the token is for. */
  audience: string
  /** The grant of an application. Without it the session is the grant. */
  grant?: string
  /** Thumbprint of the key that its bearer has to prove (RFC 9449). */
  jkt?: string
  /** How and when the person logged in (RFC 9068, section 2.2.1). Only the page of an interaction is told. */
  login?: { authTime: number; acr: string; amr: string[] }
}

/** What the page of an interaction shows to finish it. */
export interface LoginProof {
  sub: string
  sid: string
  clientId: string
  /** Seconds since the epoch. */
  authTime: number
  acr: string
  amr: string[]
}

const Claims = v.object({
  sub: v.string(),
  client_id: v.string(),
  scope: v.optional(v.string(), ''),
  sid: v.optional(v.string()),
  rooms: v.optional(v.array(v.string())),
  exp: v.number(),
  aud: v.string(),
  grant: v.optional(v.string()),
  cnf: v.optional(v.object({ jkt: v.optional(v.string()) })),
  auth_time: v.optional(v.number()),
  acr: v.optional(v.string()),
  amr: v.optional(v.array(v.string())),
})

/** LRU size for verified tokens, about 1 KB each. A phone that scans returns in a few seconds to confirm. */
const MOST_REMEMBERED = 2_000

/**
 * A verifier for one set of public keys. It answers TOKEN_EXPIRED or UNAUTHORIZED and never reveals which
 * check failed. The signature, the most expensive part of a phone's request, is verified once: a verified
 * token stays valid until it expires.
 */
export const createVerifier = (keys: readonly JWK[], issuer: string, audience: string[], now = () => new Date()) => {
  const known = createLocalJWKSet({ keys: keys.map(({ d: _, ...shared }) => shared) })
  const remembered = new LRUCache<string, VerifiedToken>({ max: MOST_REMEMBERED })
  return async (token: string): Promise<Result<VerifiedToken>> => {
    const currentDate = now()
    const before = remembered.get(token)
    if (before && before.exp * 1000 > currentDate.getTime()) return ok(before)
    try {
      const options = { issuer, audience, typ: 'at+jwt', algorithms: ['ES256'], currentDate }
      const { payload } = await jwtVerify(token, known, options)
      const claims = v.parse(Claims, payload)
      const {
        sub,
        client_id: clientId,
        scope,
        sid,
        rooms,
        exp,
        aud,
        grant,
        cnf,
        auth_time: authTime,
        acr,
        amr,
      } = claims
      const bearer: VerifiedToken = {
        ...{ sub, clientId, scope, exp, audience: aud },
        ...(sid ? { sid } : {}),
        ...(rooms ? { rooms } : {}),
        ...(grant ? { grant } : {}),
        // A token that is bound in another way is bound to a key that nobody can prove here.
        ...(cnf ? { jkt: cnf.jkt ?? '' } : {}),
        ...(authTime !== undefined && acr && amr ? { login: { authTime, acr, amr } } : {}),
      }
      remembered.set(token, bearer)
      return ok(bearer)
    } catch (error) {
      return fail(error instanceof errors.JWTExpired ? 'TOKEN_EXPIRED' : 'UNAUTHORIZED')
    }
  }
}

/**
 * Whether a token names this issuer. The claim is not verified here; it only selects which side has to verify
 * the token.
 */
export const claimsToBeOf = (issuer: string, token: string): boolean => {
  try {
    return decodeJwt(token).iss === issuer
  } catch {
    return false
  }
}

/** The id of the key with which a token claims to be signed. */
export const keyNamedBy = (token: string): string | undefined => {
  try {
    return decodeProtectedHeader(token).kid
  } catch {
    return undefined
  }
}
