import { errors } from './oidc-provider.ts'

/** OAuth's form of "too many requests" (RFC 6749 has none). */
export const tooMany = (ctx: { set(name: string, value: string): void } | undefined, seconds: number): Error => {
  ctx?.set('Retry-After', String(seconds))
  return Object.assign(new errors.TemporarilyUnavailable('too many requests'), { status: 429, statusCode: 429 })
}
