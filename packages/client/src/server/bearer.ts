const BEARER = /^(?:Bearer|DPoP) +(\S.*)$/i

/**
 * The token of an `Authorization` header (RFC 6750, and RFC 9449 for one that is bound to a key). Undefined
 * without the header, and for another scheme, such as `Basic`. What follows `Bearer` is not examined:
 * `verify` does that.
 *
 * @example
 * ```ts
 * import { bearerOf } from '@saoma/client/server'
 *
 * console.log(bearerOf('Bearer x.y.z')) // -> x.y.z
 * console.log(bearerOf('Basic YW5uOnNlY3JldA==')) // -> undefined
 * ```
 */
export const bearerOf = (header: string | null | undefined): string | undefined => BEARER.exec(header ?? '')?.[1]
