import type { Audit } from '@saoma/audit'
import type { ClientRegistry, Identity } from '@saoma/identity'
import { CIBA_GRANT, DEVICE_CODE_GRANT, parseDeviceCode, TAKES_HASHES_HEADER, ticketOf } from '@saoma/protocol'
import mount from 'koa-mount'
import type { Metrics } from '../operate/metrics.ts'
import { readForm } from '../transport/http/body.ts'
import { bindCookies } from '../transport/http/bound-cookies.ts'
import type { Context, Middleware } from '../transport/http/context.ts'
import { problem } from '../transport/http/problem.ts'
import type { Limits, Verdict } from '../transport/limits.ts'
import { hasLoggedOut, noteAsked, noteTokens, oauthCause } from './audited.ts'
import { because } from './end-cause.ts'
import { ticketCookie } from './ticket-cookie.ts'

const READ = ['GET', 'HEAD', 'OPTIONS']
const POST = ['POST', 'OPTIONS']

/**
 * The served routes of the provider, and their methods. Without this list the provider would also answer
 * other spellings (letter case, percent signs), unused endpoints, and a GET of `/device/auth` as if `auth`
 * were the id of an interaction. All of these would bypass our limits.
 */
const ROUTES = new Map([
  ['/oidc/.well-known/openid-configuration', READ],
  ['/oidc/.well-known/oauth-authorization-server', READ],
  ['/oidc/jwks', READ],
  ['/oidc/device', [...READ, 'POST']],
  ['/oidc/device/auth', POST],
  ['/oidc/backchannel', ['POST']],
  ['/oidc/request', POST],
  ['/oidc/token', POST],
  ['/oidc/token/revocation', POST],
  ['/oidc/token/introspection', POST],
])

/** The routes of the provider that people see, and where a browser goes on after an interaction. */
const SEEN = new Map([
  ['/oidc/auth', [...READ, 'POST']],
  ['/oidc/session/end', [...READ, 'POST']],
  ['/oidc/session/end/success', READ],
  // The person logs out. Or somebody else has logged in at this browser: a page of the provider that posts
  // itself.
  ['/oidc/session/end/confirm', ['POST']],
])
const RESUMED = /^\/oidc\/auth\/[A-Za-z0-9_-]{16,64}$/

/**
 * What these pages may do: run the script by which a page posts itself, whose hash the provider adds. Nobody
 * may frame them.
 */
const SEEN_POLICY = "default-src 'none'; script-src 'self'; base-uri 'none'; frame-ancestors 'none'"

/** Answers of these routes are for one browser. */
const protect = (ctx: Context): void => {
  ctx.set('Content-Security-Policy', SEEN_POLICY)
  ctx.set('X-Frame-Options', 'DENY')
  // With `no-referrer` a form that posts itself would have the origin `null`.
  ctx.set('Referrer-Policy', 'same-origin')
}

/** More than an authorization request has, and less than nginx takes as an address. */
const MOST_FORM = 6_000

/** Where a ticket begins: each one costs memory. */
const CREATES = ['/oidc/device/auth', '/oidc/backchannel']
/** The grants that use up a ticket. */
const REDEEMS: readonly unknown[] = [DEVICE_CODE_GRANT, CIBA_GRANT]

/** What applications send people to. */
const ASKED = ['/oidc/auth', '/oidc/session/end']

/**
 * A request for a login or a logout may be posted (OpenID Connect Core, section 3.1.2.1; RP-Initiated Logout,
 * section 2). A browser sends no cookies with a form of another site, so it is told to ask again by GET, with
 * which it does.
 */
const repeatAsGet = async (ctx: Context): Promise<void> => {
  const form = await readForm(ctx, MOST_FORM)
  if (!form) return
  ctx.status = 303
  ctx.set('Location', `${ctx.state.origin}${ctx.path}?${form}`)
  ctx.set('Cache-Control', 'no-store')
}

/**
 * Answers "too many requests" in OAuth's form. RFC 6749 has no such error, so this is the registered
 * `temporarily_unavailable` with status 429, or 503 if the limit of the whole cluster is reached.
 */
const refuse = (ctx: Context, { retryAfterSeconds, everybody }: NonNullable<Verdict>): void => {
  ctx.status = everybody ? 503 : 429
  ctx.set('Retry-After', String(retryAfterSeconds))
  ctx.set('Cache-Control', 'no-store')
  ctx.state.code = everybody ? 'CODES_EXHAUSTED' : 'RATE_LIMITED'
  ctx.body = { error: 'temporarily_unavailable', error_description: 'too many requests' }
}

export interface OauthDeps {
  identity: Identity
  /** The registered applications. */
  clients: ClientRegistry
  limits: Limits
  metrics: Metrics
  audit: Pick<Audit, 'note'>
  /** Notes that a client has got tokens. */
  noteClient?: (id: string) => void
}

/**
 * Serves the OAuth provider at `/oidc`, with rate limits, and sets the
 * cookie that binds a new ticket to its browser.
 */
export const oauth = (
  { identity, clients, limits, metrics, audit, noteClient }: OauthDeps,
  { ticketSeconds, secure }: { ticketSeconds: number; secure: boolean },
): Middleware => {
  let mounted: { provider: unknown; door: Middleware } | undefined
  const door: Middleware = (ctx, next) => {
    const provider = identity.provider()
    if (mounted?.provider !== provider) mounted = { provider, door: mount('/oidc', provider as never) }
    return mounted.door(ctx, next)
  }

  return async (ctx, next) => {
    const seen = SEEN.get(ctx.path) ?? (RESUMED.test(ctx.path) ? READ : undefined)
    const methods = seen ?? ROUTES.get(ctx.path)
    if (!methods) return next()
    if (!methods.includes(ctx.method)) {
      ctx.set('Allow', methods.join(', '))
      return problem(ctx, 'METHOD_NOT_ALLOWED')
    }
    // The provider builds its published addresses from this. It must
    // not come from the Host header of a request.
    Object.defineProperty(ctx, 'href', { value: `${ctx.state.origin}/oidc` })
    // So are its cookies: TLS may end in front of nginx.
    Object.defineProperty(ctx.request, 'secure', { value: secure })
    if (seen) {
      protect(ctx)
      bindCookies(ctx, { secure, sets: true })
    }
    if (ASKED.includes(ctx.path) && ctx.method === 'POST') return repeatAsGet(ctx)
    const creates = CREATES.includes(ctx.path) && ctx.method === 'POST'
    const slow = creates ? await limits.codes(ctx.ip) : undefined
    if (slow) return refuse(ctx, slow)
    const { path } = ctx
    await because(
      () => oauthCause(ctx, path),
      () => door(ctx, next),
    )
    if (hasLoggedOut(ctx)) metrics.sessionsEnded.inc({ by: 'browser' })
    if (ctx.path === '/oidc/token/revocation') ctx.set(TAKES_HASHES_HEADER, '1')
    const body = ctx.body as { device_code?: string; auth_req_id?: string } | undefined
    // The ticket identifies one login throughout the log.
    const { grant_type: grant, client_id: named, device_code: code, auth_req_id: sent } = ctx.oidc?.params ?? {}
    // A confidential client may name itself in a header. The client of an interaction stands for another one.
    const { application, clientId = named } = ctx.oidc?.client ?? {}
    const client = application ?? clientId
    const deviceCode = parseDeviceCode(body?.device_code ?? body?.auth_req_id ?? code ?? sent)
    const login = { grant, client, ...(deviceCode.ok ? { ticket: ticketOf(deviceCode.value) } : {}) }
    ctx.state.login = login
    if (REDEEMS.includes(grant) && ctx.status === 200) metrics.transitions.inc({ state: 'redeemed' })
    if (ctx.path === '/oidc/token' && ctx.status === 200) {
      noteTokens(audit, ctx, login)
      noteClient?.(String(clientId))
    }
    if (creates && body?.auth_req_id) metrics.transitions.inc({ state: 'created' })
    if (!creates || !body?.device_code) return
    metrics.transitions.inc({ state: 'created' })
    noteAsked(audit, ctx, ticketOf(body.device_code), login.client)
    // A command line would write the code to its file of cookies, and nobody would read it there.
    if (!clients.find(String(clientId))) ticketCookie.set(ctx, body.device_code, ticketSeconds, secure)
  }
}
