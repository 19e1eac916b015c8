import { createRemoteJWKSet, errors, jwtVerify } from 'jose'

/** The owner of a token. */
export type Bearer = { kind: 'person'; user: string } | { kind: 'nobody' } | { kind: 'unavailable' }

export interface Bearers {
  /** `nobody`: the token is invalid here. `unavailable`: Saoma's keys could not be fetched. */
  verify(token: string): Promise<Bearer>
}

export interface BearersOptions {
  /** Public origin of Saoma, the issuer in its tokens. */
  origin: string
  /** The keys are fetched from this address. */
  saomaUrl: string
}

const KEYS_TIMEOUT_MS = 3_000

/** The shop's problem, not the token's: the keys were unreachable or unusable. */
const isOurs = (error: unknown): boolean =>
  !(error instanceof errors.JOSEError) ||
  error instanceof errors.JWKSTimeout ||
  error instanceof errors.JWKSInvalid ||
  error.code === 'ERR_JOSE_GENERIC'

/**
 * Verifies access tokens by Saoma's published keys, without a call to Saoma for each token. A phone's token
 * has another audience, so it is invalid here. A revoked session stays valid until its last token expires, at
 * most ten minutes later.
 */
export const createBearers = ({ origin, saomaUrl }: BearersOptions): Bearers => {
  const keys = createRemoteJWKSet(new URL('/oidc/jwks', saomaUrl), { timeoutDuration: KEYS_TIMEOUT_MS })
  return {
    verify: async (token) => {
      try {
        const { payload } = await jwtVerify(token, keys, {
          issuer: `${origin}/oidc`,
          audience: origin,
          typ: 'at+jwt',
          algorithms: ['ES256'],
        })
        return payload.sub ? { kind: 'person', user: payload.sub } : { kind: 'nobody' }
      } catch (error) {
        return { kind: isOurs(error) ? 'unavailable' : 'nobody' }
      }
    },
  }
}
