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
  /** Whether `/phone` is a phone for demos; else it leads into the mini-program. */
  demo: boolean
  /** Where the pages fetch pictures from, besides the origin. */
  cdn?: string
  /** Where files of other builds are found. */
  builds: Pick<Builds, 'find'>
}

/** What has a hash in its name is the same for ever. */
const cacheControl = (path: string): string =>
  path.includes('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache'

/**
 * The built web pages, and what pages of another build ask for while nodes of both run. Files with a hash in
 * their name are kept for ever, all others are asked for anew.
 */
export const pages = ({ root, origin, demo, cdn, builds }: PagesOptions): Middleware => {
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
