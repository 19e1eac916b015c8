import cors from '@koa/cors'
import { TAKES_HASHES_HEADER } from '@saoma/protocol'
import type { Origins } from '../../config/origins.ts'
import type { Context, Middleware } from './context.ts'
import { problem } from './problem.ts'

/** Headers that a page of another origin may read. */
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
 * CORS settings. Tracing tools of a page add headers of their own to every request. We ignore unknown
 * headers, so all are allowed.
 */
const allowed = (origins: Origins, applications: Applications): Middleware =>
  cors({
    origin: ({ headers, path }: Context) => {
      const { origin = '' } = headers
      if (origins.allows(origin) || applications.allows(path, origin)) return origin
      // The page must be able to read the refusal, or its developer does not learn what is wrong.
      return origins.admits(headers) ? '' : '*'
    },
    allowMethods: 'GET,POST,DELETE',
    exposeHeaders: exposedHeaders,
    maxAge: 3600,
  })

/** What the paths of the administrators' routes begin with. */
export const ADMIN_PATH = '/v1/admin/'

/** What the pages of registered applications may call: the routes with which a browser redeems a code. */
const OF_APPLICATIONS = new Set(['/oidc/token', '/oidc/token/revocation', '/oidc/me', '/oidc/request'])
interface Applications {
  allows(path: string, origin: string): boolean
}

/**
 * Paths that the provider itself opens to every page, and those to which applications send people, also by a
 * form. What they answer is for the browser to follow and not for a page to read.
 */
const PUBLIC = new Set(['/oidc/jwks', '/oidc/auth', '/oidc/session/end'])
const isPublic = (path: string): boolean => PUBLIC.has(path) || path.startsWith('/oidc/.well-known/')

/**
 * Handles CORS before limits and refusals, because pages of other origins must be able to read a refusal too.
 * A page of an origin that is not allowed gets only the refusal, and causes no side effect.
 *
 * @param hasOrigin  whether a registered application has pages of an origin
 */
export const crossOrigin = (origins: Origins, hasOrigin: (origin: string) => boolean = () => false): Middleware => {
  const applications = { allows: (path: string, origin: string) => OF_APPLICATIONS.has(path) && hasOrigin(origin) }
  const allow = allowed(origins, applications)
  return (ctx, next) => {
    const { path } = ctx
    if (!/^\/(v1|oidc)\//.test(path) || isPublic(path)) return next()
    // A key of an administrator belongs into no browser, so no page may send or read anything here.
    if (path.startsWith(ADMIN_PATH) && ctx.get('Origin'))
      return problem(ctx, 'ORIGIN_NOT_ALLOWED', 'the routes of administrators are not for pages')
    return allow(ctx, async () => {
      if (!origins.admits(ctx.headers) && !applications.allows(path, ctx.get('Origin')))
        return problem(ctx, 'ORIGIN_NOT_ALLOWED', whatToAdd(path, ctx.get('Origin')))
      await next()
      // The provider sets its own, shorter list of exposed headers.
      if (ctx.response.get('Access-Control-Allow-Origin')) ctx.set('Access-Control-Expose-Headers', exposedHeaders)
    })
  }
}

/** The explanation for the log and for the developer of the page. */
export const notNamed = (origin: string): string => `SAOMA_ALLOWED_ORIGINS does not name ${origin.slice(0, 200)}`

/** What the developer of the page has to add, and where. */
const whatToAdd = (path: string, origin: string): string =>
  path.startsWith('/oidc/')
    ? `${notNamed(origin)}. If the page is yours, add it there. If it belongs to a registered application, the application has to be of the type public, with a redirect address of this origin, and <saoma-login> needs its client-id`
    : notNamed(origin)
