/** Claims of a person: of an id_token or access token, or of `userinfo()`. Others are available by name. */
export interface Claims {
  /** Random per account. */
  sub: string
  /** Id of this session. */
  sid?: string
  name?: string
  /** An address. */
  picture?: string
  /** As in BCP 47: `zh-CN`. */
  locale?: string
  /** With the scope `phone`, as in `+8613800138000`. */
  phone_number?: string
  /** There only if WeChat has told the number. */
  phone_number_verified?: boolean
  iss?: string
  /** Seconds since 1970. */
  exp?: number
  iat?: number
  [claim: string]: unknown
}

/**
 * Reads the payload of a JWT (RFC 7519) WITHOUT verifying its signature. Use it to display a name. A backend
 * that makes decisions must verify the token: see `createVerifier`. Undefined for what is no JWT, or has no
 * `sub`.
 *
 * @example
 * ```ts
 * import { decodeClaims } from '@saoma/client'
 *
 * const token = 'eyJhbGciOiJub25lIn0.eyJzdWIiOiI3MSIsIm5hbWUiOiJBbm4ifQ.'
 * console.log(decodeClaims(token)) // -> { sub: '71', name: 'Ann' }
 * console.log(decodeClaims('no token')) // -> undefined
 * ```
 */
export const decodeClaims = (token: string | undefined): Claims | undefined => {
  try {
    const base64 = (token?.split('.')[1] ?? '').replace(/-/g, '+').replace(/_/g, '/')
    // No TextDecoder: some JavaScript engines lack it.
    const escaped = Array.from(atob(base64), (char) => `%${char.charCodeAt(0).toString(16).padStart(2, '0')}`)
    const claims: unknown = JSON.parse(decodeURIComponent(escaped.join('')))
    return isClaims(claims) ? claims : undefined
  } catch {
    return undefined // Not a JWT.
  }
}

/** Whether it can be claims: only `sub` is looked at. */
export const isClaims = (value: unknown): value is Claims =>
  typeof value === 'object' && value !== null && 'sub' in value && typeof value.sub === 'string'
