import type { Identity } from '@saoma/identity'
import type { Context, Middleware } from 'koa'
import mount from 'koa-mount'
import type { Limits } from '../limits.ts'
import { ticketCookie } from './ticket-cookie.ts'

/** OAuth's own form of "too many requests" (RFC 6749 has none, so the registered `temporarily_unavailable` with status 429). */
const refuse = (ctx: Context, retryAfterSeconds: number): void => {
  ctx.status = 429
  ctx.set('Retry-After', String(retryAfterSeconds))
  ctx.set('Cache-Control', 'no-store')
  ctx.body = { error: 'temporarily_unavailable', error_description: 'too many requests' }
}

/** The OAuth provider at `/oidc`: limited, and with the cookie that binds a new ticket to its browser. */
export const oauth = (identity: Identity, limits: Limits, ticketSeconds: number, secure: boolean): Middleware => {
  let mounted: { provider: unknown; door: Middleware } | undefined
  const door: Middleware = (ctx, next) => {
    const provider = identity.provider()
    if (mounted?.provider !== provider) mounted = { provider, door: mount('/oidc', provider as never) }
    return mounted.door(ctx, next)
  }

  return async (ctx, next) => {
    if (!ctx.path.startsWith('/oidc/')) return next()
    const creates = ctx.path === '/oidc/device/auth' && ctx.method === 'POST'
    const slow = creates ? await limits.codes(ctx.ip) : undefined
    if (slow) return refuse(ctx, slow.retryAfterSeconds)
    await door(ctx, next)
    const body = ctx.body as { device_code?: string } | undefined
    if (creates && body?.device_code) ticketCookie.set(ctx, body.device_code, ticketSeconds, secure)
  }
}
