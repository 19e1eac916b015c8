import { createRemoteJWKSet, errors, jwtVerify } from 'jose'

/** Who bears a token. */
export type Bearer = { kind: 'person'; user: string } | { kind: 'nobody' } | { kind: 'unavailable' }

export interface Bearers {
  /** `nobody`: the token is no good here. `unavailable`: Saoma's keys could not be fetched. */
  verify(token: string): Promise<Bearer>
}

export interface BearersOptions {
  /** Public origin of Saoma, as its tokens name it. */
  origin: string
  /** Where its keys are fetched from. */
  saomaUrl: string
}

const KEYS_TIMEOUT_MS = 3_000

/** Our trouble, not the token's: the keys did not come, or were none. */
const isOurs = (error: unknown): boolean =>
  !(error instanceof errors.JOSEError) ||
  error instanceof errors.JWKSTimeout ||
  error instanceof errors.JWKSInvalid ||
  error.code === 'ERR_JOSE_GENERIC'

/**
 * Verifies access tokens of Saoma by its published keys, without asking it about each one. A phone's token
 * has another audience and is nobody's here. A session that ended is noticed when its last token ends, ten
 * minutes later at most.
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
