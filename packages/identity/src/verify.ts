import { fail, ok, type Result } from '@saoma/protocol'
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, errors, type JWK, jwtVerify } from 'jose'
import { LRUCache } from 'lru-cache'
import * as v from 'valibot'

/** What an access token says. */
export interface Bearer {
  sub: string
  clientId: string
  scope: string
  /** The session it belongs to; phones have none. */
  sid?: string
  /** Rooms that it makes the person a member of. */
  rooms?: readonly string[]
  /** Seconds since the epoch. */
  exp: number
}

const Claims = v.object({
  sub: v.string(),
  client_id: v.string(),
  scope: v.optional(v.string(), ''),
  sid: v.optional(v.string()),
  rooms: v.optional(v.array(v.string())),
  exp: v.number(),
})

/**
 * Tokens that were good; a phone that scans comes back in a few seconds to confirm. About a kilobyte each.
 */
const MOST_REMEMBERED = 2_000

/**
 * A verifier over one set of public keys. Answers TOKEN_EXPIRED or UNAUTHORIZED; never says which check
 * failed. A token that was good is good until it expires, so its signature, the most expensive part of a
 * phone's request, is checked once.
 */
export const createVerifier = (keys: readonly JWK[], issuer: string, audience: string[], now = () => new Date()) => {
  const known = createLocalJWKSet({ keys: keys.map(({ d: _, ...shared }) => shared) })
  const remembered = new LRUCache<string, Bearer>({ max: MOST_REMEMBERED })
  return async (token: string): Promise<Result<Bearer>> => {
    const currentDate = now()
    const before = remembered.get(token)
    if (before && before.exp * 1000 > currentDate.getTime()) return ok(before)
    try {
      const options = { issuer, audience, typ: 'at+jwt', algorithms: ['ES256'], currentDate }
      const { payload } = await jwtVerify(token, known, options)
      const { sub, client_id: clientId, scope, sid, rooms, exp } = v.parse(Claims, payload)
      const bearer = { sub, clientId, scope, exp, ...(sid ? { sid } : {}), ...(rooms ? { rooms } : {}) }
      remembered.set(token, bearer)
      return ok(bearer)
    } catch (error) {
      return fail(error instanceof errors.JWTExpired ? 'TOKEN_EXPIRED' : 'UNAUTHORIZED')
    }
  }
}

/**
 * Whether a token says that this issuer made it. That is not checked here: it only tells whose business the
 * check is.
 */
export const claimsToBeOf = (issuer: string, token: string): boolean => {
  try {
    return decodeJwt(token).iss === issuer
  } catch {
    return false
  }
}

/** The key that a token says it was signed with. */
export const keyNamedBy = (token: string): string | undefined => {
  try {
    return decodeProtectedHeader(token).kid
  } catch {
    return undefined
  }
}
