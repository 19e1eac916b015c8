import type { Middleware } from 'koa'
import compose from 'koa-compose'
import serve from 'koa-static'

const policy = (origin: string, cdn?: string): string =>
  [
    "default-src 'self'",
    "img-src 'self' data: blob:",
    `connect-src 'self' ${origin.replace(/^http/, 'ws')}${cdn ? ` ${new URL(cdn).origin}` : ''}`,
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; ')

export interface PagesOptions {
  root: string
  origin: string
  /** Whether `/phone` is a phone for demos; else it leads into the mini-program. */
  demo: boolean
  /** Where the pages fetch pictures from, besides the origin. */
  cdn?: string
}

/** The built web pages. Files with a hash in their name are kept for ever, all others are asked for anew. */
export const pages = ({ root, origin, demo, cdn }: PagesOptions): Middleware => {
  const { host } = new URL(origin)
  const contentPolicy = policy(origin, cdn)
  return compose([
    async (ctx, next) => {
      if (ctx.method !== 'GET' && ctx.method !== 'HEAD') return next()
      // A page under another name of this machine would be a foreign origin to its own server.
      if (ctx.host !== host && /^\/(phone|[a-z]+\.html)?$/.test(ctx.path)) return ctx.redirect(`${origin}${ctx.url}`)
      if (ctx.path === '/phone' && !demo) ctx.path = '/verify'
      await next()
      if (ctx.response.is('html')) {
        ctx.set('Content-Security-Policy', contentPolicy)
        ctx.set('X-Frame-Options', 'DENY')
      }
    },
    serve(root, {
      extensions: ['html'],
      setHeaders: (res, path) => {
        res.setHeader('Cache-Control', /\/assets\//.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache')
        if (path.endsWith('/saoma-login.js')) res.setHeader('Access-Control-Allow-Origin', '*')
      },
    }),
  ])
}
