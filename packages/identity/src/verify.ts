import { fail, ok, type Result } from '@saoma/protocol'
import { createLocalJWKSet, errors, type JWK, jwtVerify } from 'jose'
import * as v from 'valibot'

/** What an access token says. */
export interface Bearer {
  sub: string
  clientId: string
  scope: string
  /** The session it belongs to; phones have none. */
  sid?: string
  /** Seconds since the epoch. */
  exp: number
}

const Claims = v.object({
  sub: v.string(),
  client_id: v.string(),
  scope: v.optional(v.string(), ''),
  sid: v.optional(v.string()),
  exp: v.number(),
})

/** A verifier over one set of public keys. Answers TOKEN_EXPIRED or UNAUTHORIZED; never says which check failed. */
export const createVerifier = (keys: readonly JWK[], issuer: string, audience: string[]) => {
  const known = createLocalJWKSet({ keys: keys.map(({ d: _, ...shared }) => shared) })
  return async (token: string): Promise<Result<Bearer>> => {
    try {
      const { payload } = await jwtVerify(token, known, { issuer, audience, typ: 'at+jwt', algorithms: ['ES256'] })
      const { sub, client_id: clientId, scope, sid, exp } = v.parse(Claims, payload)
      return ok({ sub, clientId, scope, exp, ...(sid ? { sid } : {}) })
    } catch (error) {
      return fail(error instanceof errors.JWTExpired ? 'TOKEN_EXPIRED' : 'UNAUTHORIZED')
    }
  }
}
