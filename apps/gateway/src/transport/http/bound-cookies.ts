import { randomBytes } from 'node:crypto'
import type { Context } from './context.ts'

const NAME = 'saoma_browser'
const VALUE = /^[A-Za-z0-9_-]{22}$/
/** Longer than an interaction waits. Each authorization request sets the cookie anew. */
const MAX_AGE_MS = 24 * 60 * 60 * 1000

/** What signs the cookies of a request. Koa's types leave it out. */
interface Signed {
  keys: { sign(data: string): string; index(data: string, digest: string): number }
}

/**
 * Makes the signatures of this request's cookies count in one browser alone.
 *
 * The cookies of an interaction are for one path each, so they cannot have the prefix `__Host-`. Another host
 * of our domain could put an interaction into a browser that somebody else has begun and finished, and the
 * browser would be logged in as that person. So a browser gets one more cookie, which has that prefix and
 * which no other host can set. It takes part in each signature.
 *
 * Over http there is no such prefix, and anybody on the way reads and writes cookies.
 *
 * @param sets  whether the browser gets that cookie
 */
export const bindCookies = (ctx: Context, { secure, sets }: { secure: boolean; sets: boolean }): void => {
  const name = secure ? `__Host-${NAME}` : NAME
  const given = ctx.cookies.get(name, { signed: false }) ?? ''
  const browser = VALUE.test(given) ? given : randomBytes(16).toString('base64url')
  if (sets)
    ctx.cookies.set(name, browser, { signed: false, httpOnly: true, sameSite: 'lax', path: '/', maxAge: MAX_AGE_MS })
  const cookies = ctx.cookies as unknown as Signed
  const { keys } = cookies
  cookies.keys = {
    sign: (data) => keys.sign(`${browser} ${data}`),
    index: (data, digest) => keys.index(`${browser} ${data}`, digest),
  }
}
