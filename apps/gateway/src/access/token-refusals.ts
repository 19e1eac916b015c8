import { fail, type Result } from '@saoma/protocol'
import { decodeProtectedHeader, errors } from 'jose'
import type { Logger } from '../operate/log.ts'
import { LEEWAY_SECONDS } from './business-keys.ts'

/** Why a signed token is refused, for the log. */
const words = {
  form: 'it is no signed JWT',
  issuer: 'it is of another issuer',
  audience: 'it is for another audience',
  algorithm: 'its algorithm is not allowed',
  type: 'it is a JWT of another type than an access token',
  key: 'its key is not among the published ones',
  keys: 'several published keys fit it, because it names none or two have one name',
  signature: 'its signature is wrong',
  times: 'its exp or iat is missing, or one of exp, iat and nbf is no number',
  expired: 'it has expired',
  early: `it is not valid yet: the clocks differ by more than ${LEEWAY_SECONDS} s, or its nbf is to come`,
  life: 'it lives for more than 31 days',
  uid: 'the claim of the uid is missing, or is no id of 1 to 128 characters',
  rooms: 'the claim of the rooms is no list of texts',
  sid: 'the claim of the sid is no text of up to 128 characters',
} as const
export type TokenRefusal = keyof typeof words
/** What the form and the signature of a token can be refused for, whatever it should say. */
export type JwtRefusal = Exclude<TokenRefusal, 'type' | 'life' | 'uid' | 'rooms' | 'sid'>

export interface TokenRefusals {
  /**
   * UNAUTHORIZED, or TOKEN_EXPIRED, for the client, and a line of the log for the operator.
   *
   * @param about  `found` is what the token says of itself, `claim` the name of a claim
   */
  refuse(why: TokenRefusal, about?: { found?: unknown; claim?: string }): Result<never>
  /** The same, for what jose says of a token. */
  refusalOf(error: errors.JOSEError, token: string): Result<never>
}

/** At most one log line for each reason in this time. */
const QUIET_MS = 10_000
/** Anyone can write an issuer of any length. */
const MOST_QUOTED = 100

const ofClaims: Readonly<Record<string, JwtRefusal | undefined>> = {
  iss: 'issuer',
  aud: 'audience',
  nbf: 'early',
}

/** What jose says of a token, in one of these words. */
export const whyOf = (error: errors.JOSEError): JwtRefusal => {
  if (error instanceof errors.JWTExpired) return 'expired'
  if (error instanceof errors.JWTClaimValidationFailed)
    return error.reason === 'invalid' ? 'times' : (ofClaims[error.claim] ?? 'times')
  if (error instanceof errors.JOSEAlgNotAllowed) return 'algorithm'
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'signature'
  if (error instanceof errors.JWKSNoMatchingKey) return 'key'
  if (error instanceof errors.JWKSMultipleMatchingKeys) return 'keys'
  return 'form'
}

const headerOf = (token: string): { alg?: unknown; kid?: unknown } => {
  try {
    return decodeProtectedHeader(token)
  } catch {
    return {}
  }
}

/** What the token says in the place that is wrong. Never who it is for: that would be personal. */
const foundBy = (error: errors.JOSEError, token: string): unknown => {
  if (error instanceof errors.JWTClaimValidationFailed) return error.payload[error.claim]
  if (error instanceof errors.JOSEAlgNotAllowed) return headerOf(token).alg
  return error instanceof errors.JWKSNoMatchingKey ? headerOf(token).kid : undefined
}

/** @param now  the clock of the pauses between lines, in milliseconds */
export const createTokenRefusals = (log: Logger, now: () => number): TokenRefusals => {
  const quietUntil = new Map<TokenRefusal, number>()

  const refuse: TokenRefusals['refuse'] = (why, { found, claim } = {}) => {
    if (now() >= (quietUntil.get(why) ?? Number.NEGATIVE_INFINITY)) {
      quietUntil.set(why, now() + QUIET_MS)
      const about = {
        ...(found === undefined ? {} : { found: (JSON.stringify(found) ?? '').slice(0, MOST_QUOTED) }),
        ...(claim === undefined ? {} : { claim }),
      }
      const line = { event: 'business', setting: 'SAOMA_AUTH_JWKS', reason: why, ...about }
      // Every token expires. All else is for somebody to mend.
      log[why === 'expired' ? 'info' : 'warn'](line, `a token of the business is refused: ${words[why]}`)
    }
    return fail(why === 'expired' ? 'TOKEN_EXPIRED' : 'UNAUTHORIZED')
  }

  return { refuse, refusalOf: (error, token) => refuse(whyOf(error), { found: foundBy(error, token) }) }
}
