import { LONGEST_TOKEN } from '@saoma/protocol'
import { decodeJwt, errors, type JWTPayload, jwtVerify } from 'jose'
import { now as forward } from '../core/clock.ts'
import { createProofCheck, type ProvenRequest } from './key-proof.ts'
import { createKeys, KeysUnreachable, PAUSE_MS } from './keys.ts'
import { type Refusal, type RefusalCode, refuse } from './refusals.ts'

/** The claims of an access token, after it was verified. */
export interface AccessClaims extends JWTPayload {
  /** The person: a random and stable id. */
  sub: string
  /** Who asked for the token: `web` for a page, `miniprogram` for a mini-program. */
  client_id: string
  /** Scopes, with a space between two. */
  scope?: string
  /** The session: one login on one device. A mini-program's token has none. */
  sid?: string
  /** The key that the token is bound to (RFC 9449). */
  cnf?: { jkt?: string }
  /** How the login was confirmed, such as `urn:saoma:acr:tap`. A mini-program's token has none. */
  acr?: string
  /** Seconds since 1970. */
  exp: number
}

/** Whose tokens are verified, and by which clock. */
export interface VerifierOptions {
  /** Saoma's public origin, the `SAOMA_ORIGIN` of its nodes. Tokens name it as their issuer. */
  origin: string
  /** The audience that tokens must have. @default the origin, as in all tokens for backends */
  audience?: string
  /**
   * Address of the keys, if this backend reaches Saoma by another one than the public.
   * @default `{origin}/oidc/jwks`
   */
  jwksUrl?: string
  fetch?: typeof fetch
  /** Seconds by which the clock of this machine may differ from those of the nodes. @default 0 */
  clockToleranceSeconds?: number
  /** The time at which a token must be valid. @default the system's clock */
  date?: () => Date
  /** The clock for the age of the keys, in milliseconds. @default a monotonic clock */
  now?: () => number
}

/** The claims of a good token, or why it is refused. */
export type Verified = { ok: true; value: AccessClaims } | Refusal

/** Verifies the access tokens that Saoma issues for people (RFC 9068). */
export interface Verifier {
  /**
   * Resolves with the claims, or with the reason for which the token is refused; never rejects. It asks Saoma
   * for its keys only: a session that was ended stays valid here until its last token expires, ten minutes at
   * most. A token that is bound to a key of the browser (`dpop` of the session) needs the request that it
   * came with.
   */
  verify(token: string | undefined, request?: ProvenRequest): Promise<Verified>
}

/** The only algorithm with which Saoma signs. `none` and HS256 must not get as far as a key. */
const ALGORITHMS: 'ES256'[] = ['ES256']
const TYPE = 'at+jwt'

/**
 * Makes a verifier of access tokens (RFC 9068). It fetches Saoma's keys at the first token, and keeps them
 * for ten minutes. So make one, and use it for all requests. Throws a TypeError if `origin` or `jwksUrl` is
 * no URL.
 *
 * @example
 * ```ts
 * import { createVerifier } from '@saoma/client/server'
 *
 * const verifier = createVerifier({ origin: 'https://login.example.com' })
 * const verified = await verifier.verify(process.env.ACCESS_TOKEN)
 * console.log(verified.ok ? verified.value.client_id : verified.code) // -> web
 * const refused = await verifier.verify('x.y.z')
 * if (!refused.ok) console.log(refused.status, refused.code) // -> 401 TOKEN_MALFORMED
 * ```
 */
export const createVerifier = (options: VerifierOptions): Verifier => {
  const { origin } = new URL(options.origin)
  const { audience = origin, jwksUrl = `${origin}/oidc/jwks`, clockToleranceSeconds: clockTolerance = 0 } = options
  const { date, now = forward } = options
  const issuer = `${origin}/oidc`
  const isProven = createProofCheck(date ?? (() => new Date()))
  const keys = createKeys({ url: jwksUrl, fetch: options.fetch ?? globalThis.fetch, now })

  /** A token of the phone that decides about logins. No backend may take it, whatever `audience` says. */
  const isPhones = ({ aud }: JWTPayload): boolean => [aud].flat().includes(`${origin}/v1`)

  const audienceRefused = (claims: JWTPayload): Refusal =>
    isPhones(claims)
      ? refuse('PHONE_TOKEN')
      : refuse('AUDIENCE_WRONG', `It is for ${quoted(claims.aud)}, and not for ${quoted(audience)}.`)

  const refusalOf = (error: unknown): Refusal => {
    if (error instanceof KeysUnreachable) return refuse('KEYS_UNREACHABLE', `${jwksUrl}: ${error.message}.`, PAUSE_MS)
    if (error instanceof errors.JWTExpired) return refuse('TOKEN_EXPIRED')
    if (error instanceof errors.JWTClaimValidationFailed) {
      if (error.claim === 'aud') return audienceRefused(error.payload)
      return refuse(claimRefusals[error.claim] ?? 'TOKEN_MALFORMED')
    }
    if (error instanceof errors.JOSEAlgNotAllowed) return refuse('ALGORITHM_REFUSED')
    if (error instanceof errors.JWSSignatureVerificationFailed) return refuse('SIGNATURE_WRONG')
    if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys)
      return refuse('KEY_UNKNOWN')
    return refuse('TOKEN_MALFORMED')
  }

  return {
    verify: async (token, request) => {
      if (!token) return refuse('TOKEN_MISSING')
      if (typeof token !== 'string' || token.length > LONGEST_TOKEN) return refuse('TOKEN_MALFORMED')
      try {
        // The issuer comes first. A token of another issuer has an unknown key too, and is worth no fetch.
        const { iss } = decodeJwt(token)
        if (iss !== issuer) return refuse('ISSUER_WRONG', `It is of ${quoted(iss)}, and not of ${quoted(issuer)}.`)
        const { payload } = await jwtVerify(token, keys, {
          issuer,
          audience,
          typ: TYPE,
          algorithms: ALGORITHMS,
          clockTolerance,
          ...(date ? { currentDate: date() } : {}),
        })
        if (isPhones(payload)) return refuse('PHONE_TOKEN')
        if (!isComplete(payload)) return refuse('TOKEN_MALFORMED')
        if (payload.cnf === undefined) return { ok: true, value: payload }
        if (!request?.dpop) return refuse('PROOF_MISSING')
        const proves = await isProven(request, token, payload.cnf.jkt ?? '')
        return proves ? { ok: true, value: payload } : refuse('PROOF_WRONG')
      } catch (error) {
        return refusalOf(error)
      }
    },
  }
}

const claimRefusals: Readonly<Record<string, RefusalCode | undefined>> = {
  typ: 'TYPE_WRONG',
  iss: 'ISSUER_WRONG',
  nbf: 'TOKEN_EARLY',
}

const isComplete = (claims: JWTPayload): claims is AccessClaims =>
  typeof claims.sub === 'string' && typeof claims.client_id === 'string' && typeof claims.exp === 'number'

const MOST_QUOTED = 200

/** A claim as one line of a log: anyone can write an issuer with line breaks, and of any length. */
const quoted = (claim: unknown): string => (JSON.stringify(claim) ?? 'none').slice(0, MOST_QUOTED)
