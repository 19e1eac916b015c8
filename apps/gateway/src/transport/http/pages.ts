import { extname } from 'node:path'
import compose from 'koa-compose'
import serve from 'koa-static'
import type { Builds } from './builds.ts'
import type { Middleware } from './context.ts'

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
  /** Whether `/phone` is the demo phone. Otherwise it leads into the mini-program. */
  demo: boolean
  /** Another origin from which the pages fetch pictures. */
  cdn?: string
  /** Finds files of other builds. */
  builds: Pick<Builds, 'find'>
}

/** A file with a hash in its name never changes. */
const cacheControl = (path: string): string =>
  path.includes('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache'

/**
 * Serves the built web pages, and the files of another build while nodes of both run. Files with a hash in
 * their name are cached for ever, all others are revalidated.
 */
export const pages = ({ root, origin, demo, cdn, builds }: PagesOptions): Middleware => {
  const { host } = new URL(origin)
  const contentPolicy = policy(origin, cdn)
  return compose([
    async (ctx, next) => {
      if (ctx.method !== 'GET' && ctx.method !== 'HEAD') return next()
      // Under another name of this machine, the page's own server would be a foreign origin to it.
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
        res.setHeader('Cache-Control', cacheControl(path))
        if (path.endsWith('/saoma-login.js')) res.setHeader('Access-Control-Allow-Origin', '*')
      },
    }),
    async (ctx, next) => {
      if (ctx.method !== 'GET' && ctx.method !== 'HEAD') return next()
      const path = extname(ctx.path) ? ctx.path : `${ctx.path}.html`
      const file = await builds.find(path)
      if (!file) return next()
      ctx.type = extname(path)
      ctx.set('Cache-Control', cacheControl(path))
      ctx.body = file
    },
  ])
}
