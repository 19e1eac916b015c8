import cors from '@koa/cors'
import { TAKES_HASHES_HEADER } from '@saoma/protocol'
import type { Origins } from '../../config/origins.ts'
import type { Context, Middleware } from './context.ts'
import { problem } from './problem.ts'

/** What a page of another origin may read besides the body. */
export const exposedHeaders = [
  'Retry-After',
  'WWW-Authenticate',
  'X-Request-Id',
  'X-Saoma-Check',
  'X-Saoma-Code',
  'X-Saoma-Node',
  TAKES_HASHES_HEADER,
].join(', ')

/**
 * The tracing tools of a page add headers of their own to whatever it asks; we read none that we do not know,
 * so all may come.
 */
const allowed = (origins: Origins): Middleware =>
  cors({
    origin: ({ headers }: Context) => {
      const { origin = '' } = headers
      if (origins.allows(origin)) return origin
      // Its refusal has to be readable as well, or nobody learns what to mend.
      return origins.admits(headers) ? '' : '*'
    },
    allowMethods: 'GET,POST,DELETE',
    exposeHeaders: exposedHeaders,
    maxAge: 3600,
  })

/** The provider lets every page read these by itself. */
const isPublic = (path: string): boolean => path === '/oidc/jwks' || path.startsWith('/oidc/.well-known/')

/**
 * What pages of other origins may do, before anything is counted or refused: they have to be able to read a
 * refusal too. A page of an origin that is not allowed gets no other answer, and no side effect either.
 */
export const crossOrigin = (origins: Origins): Middleware => {
  const allow = allowed(origins)
  return (ctx, next) => {
    const { path } = ctx
    if (!/^\/(v1|oidc)\//.test(path) || isPublic(path)) return next()
    return allow(ctx, async () => {
      if (!origins.admits(ctx.headers)) return problem(ctx, 'ORIGIN_NOT_ALLOWED', notNamed(ctx.get('Origin')))
      await next()
      // The provider has words of its own for pages, and fewer of them.
      if (ctx.response.get('Access-Control-Allow-Origin')) ctx.set('Access-Control-Expose-Headers', exposedHeaders)
    })
  }
}

/** For the log, and for the developer of the page. */
export const notNamed = (origin: string): string => `SAOMA_ALLOWED_ORIGINS does not name ${origin.slice(0, 200)}`
