import { extname, relative, resolve, sep } from 'node:path'
import compose from 'koa-compose'
import serve from 'koa-static'
import type { Builds } from './builds.ts'
import type { Middleware } from './context.ts'

const policy = (origin: string, cdn?: string, pictures = '', forms = "form-action 'self'"): string =>
  [
    "default-src 'self'",
    `img-src 'self' data: blob:${pictures}`,
    `connect-src 'self' ${origin.replace(/^http/, 'ws')}${cdn ? ` ${new URL(cdn).origin}` : ''}`,
    "object-src 'none'",
    "base-uri 'none'",
    ...(forms ? [forms] : []),
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

/** The page of an authorization request. Its address names the request, and has the request's cookie. */
const INTERACTION = /^\/oidc\/interaction\/[A-Za-z0-9_-]{16,64}$/

/** The question whether to log out, and that it is done. */
const LOGOUT = /^\/oidc\/logout(\/done)?$/

/** What pages of other origins load: the element, a callback page's script, the hosted SDK, their parts. */
const isForOthers = (path: string): boolean =>
  path === '/saoma-login.js' || path === '/saoma-callback.js' || path.startsWith('/sdk/')

/** A file with a hash in its path never changes. The viewer of `/docs` is large, and is of one release. */
const cacheControl = (path: string): string => {
  if (/^\/(assets|sdk\/[^/]+)\//.test(path)) return 'public, max-age=31536000, immutable'
  return path.startsWith('/docs/viewer/') ? 'public, max-age=86400' : 'no-cache'
}

/**
 * Serves the built web pages, and the files of another build while nodes of both run. Files with a hash in
 * their path are cached for ever, the viewer of `/docs` for a day, all others are revalidated.
 */
export const pages = ({ root, origin, demo, cdn, builds }: PagesOptions): Middleware => {
  const { host } = new URL(origin)
  const usualPolicy = policy(origin, cdn)
  // An application's logo lies wherever it likes.
  const interactionPolicy = policy(origin, cdn, ' https:')
  // The form of a logout leads on to the application, wherever that is. Browsers hold that against the form.
  const logoutPolicy = policy(origin, cdn, ' https:', '')
  return compose([
    async (ctx, next) => {
      if (ctx.method !== 'GET' && ctx.method !== 'HEAD') return next()
      // Under another name of this machine, the page's own server would be a foreign origin to it.
      if (ctx.host !== host && /^\/(phone|device|[a-z]+\.html)?$/.test(ctx.path))
        return ctx.redirect(`${origin}${ctx.url}`)
      if (ctx.path === '/phone' && !demo) ctx.path = '/verify'
      const isInteraction = INTERACTION.test(ctx.path)
      if (isInteraction) ctx.path = '/interaction'
      const isLogout = LOGOUT.test(ctx.path)
      if (isLogout) ctx.path = '/logout'
      if (isForOthers(ctx.path)) {
        // On refusals too. Otherwise the console of the page speaks of CORS, and not of what is wrong.
        ctx.set('Access-Control-Allow-Origin', '*')
        ctx.set('Cross-Origin-Resource-Policy', 'cross-origin')
      }
      await next()
      if (ctx.response.is('html')) {
        ctx.set('Content-Security-Policy', isLogout ? logoutPolicy : isInteraction ? interactionPolicy : usualPolicy)
        // With `no-referrer` its form would have the origin `null`.
        if (isLogout) ctx.set('Referrer-Policy', 'same-origin')
        ctx.set('X-Frame-Options', 'DENY')
      }
    },
    serve(root, {
      extensions: ['html'],
      setHeaders: (res, file) => {
        const path = `/${relative(resolve(root), file).split(sep).join('/')}`
        res.setHeader('Cache-Control', cacheControl(path))
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
