import { errors } from './oidc-provider.ts'

/** "Too many requests" in OAuth's form (RFC 6749 defines none). */
export const tooMany = (ctx: { set(name: string, value: string): void } | undefined, seconds: number): Error => {
  ctx?.set('Retry-After', String(seconds))
  return Object.assign(new errors.TemporarilyUnavailable('too many requests'), { status: 429, statusCode: 429 })
}
