import { fail, ok, type Result } from '@saoma/protocol'
import { createLocalJWKSet, decodeJwt, errors, type JWK, jwtVerify } from 'jose'
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

/** A verifier over one set of public keys. Answers TOKEN_EXPIRED or UNAUTHORIZED; never says which check failed. */
export const createVerifier = (keys: readonly JWK[], issuer: string, audience: string[]) => {
  const known = createLocalJWKSet({ keys: keys.map(({ d: _, ...shared }) => shared) })
  return async (token: string): Promise<Result<Bearer>> => {
    try {
      const { payload } = await jwtVerify(token, known, { issuer, audience, typ: 'at+jwt', algorithms: ['ES256'] })
      const { sub, client_id: clientId, scope, sid, rooms, exp } = v.parse(Claims, payload)
      return ok({ sub, clientId, scope, exp, ...(sid ? { sid } : {}), ...(rooms ? { rooms } : {}) })
    } catch (error) {
      return fail(error instanceof errors.JWTExpired ? 'TOKEN_EXPIRED' : 'UNAUTHORIZED')
    }
  }
}

/** Whether a token says that this issuer made it. That is not checked here: it only tells whose business the check is. */
export const claimsToBeOf = (issuer: string, token: string): boolean => {
  try {
    return decodeJwt(token).iss === issuer
  } catch {
    return false
  }
}
