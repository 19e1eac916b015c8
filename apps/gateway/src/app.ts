import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Audit } from '@saoma/audit'
import { cookieKeys, type Identity } from '@saoma/identity'
import type { Inbox, Tickets } from '@saoma/tickets'
import Koa from 'koa'
import type { ClientList } from './access/client-list.ts'
import { type AdminDeps, adminRouters } from './admin/app.ts'
import type { Config } from './config/config.ts'
import type { Origins } from './config/origins.ts'
import { meshRoutes } from './live/connmix/routes.ts'
import { channelRoutes } from './live/http/channels.ts'
import { type MessageRoutesDeps, messageRoutes } from './live/http/messages.ts'
import { publishRoutes } from './live/http/publish.ts'
import { type ActivityRoutesDeps, activityRoutes } from './login/activity.ts'
import { type AppLinkOptions, appLinkRoutes } from './login/app-links.ts'
import { browserRoutes } from './login/browsers.ts'
import { type LoginRoutesDeps, loginRoutes } from './login/logins.ts'
import { oauth } from './login/oauth.ts'
import { type PeopleRoutesDeps, peopleRoutes } from './login/people.ts'
import { type LinkRoutesDeps, linkRoutes } from './login/qr/link.ts'
import { type QrRoutesDeps, qrRoutes } from './login/qr/routes.ts'
import { type RequestRoutesDeps, requestRoutes } from './login/requests.ts'
import { type TicketRoutesDeps, ticketRoutes } from './login/tickets.ts'
import { userCodeRoutes } from './login/user-codes.ts'
import { userinfoRoutes } from './login/userinfo.ts'
import { wechatPolls } from './login/wechat-polls.ts'
import { interactionRoutes } from './oidc/interactions.ts'
import { logoutRoutes } from './oidc/logout.ts'
import type { Logger } from './operate/log.ts'
import type { Metrics } from './operate/metrics.ts'
import type { Trace } from './operate/tracing/trace.ts'
import { bounded } from './transport/http/bounds.ts'
import type { Builds } from './transport/http/builds.ts'
import type { Context, RequestState } from './transport/http/context.ts'
import { crossOrigin } from './transport/http/cross-origin.ts'
import { type DiagnosisOptions, diagnosisRoutes } from './transport/http/diagnosis.ts'
import { pages } from './transport/http/pages.ts'
import { problems } from './transport/http/problem.ts'

export interface AppDeps
  extends AdminDeps,
    TicketRoutesDeps,
    ActivityRoutesDeps,
    QrRoutesDeps,
    LinkRoutesDeps,
    LoginRoutesDeps,
    RequestRoutesDeps,
    PeopleRoutesDeps,
    MessageRoutesDeps {
  inbox: Inbox
  settled: TicketRoutesDeps['settled']
  audit: Audit
  /** The registered applications. */
  clients: Pick<ClientList, 'find' | 'hasOrigin'>
  /** Notes that an application was used. */
  noteClient?: (id: string) => void
  identity: Identity
  metrics: Metrics
  tickets: Tickets
  /** Finds page files of other builds. Needed only if the node serves pages (`webRoot`). */
  builds?: Pick<Builds, 'find'>
  log: Logger
  trace?: Trace
}

export interface AppOptions extends DiagnosisOptions, AppLinkOptions {
  origin: string
  webRoot?: string
  demo: boolean
  /** Where the administrators' routes are served, besides the internal port. */
  adminApi: Config['adminApi']
  pool?: Pick<NonNullable<Config['pool']>, 'cdn'>
  origins: Origins
  addressOf: (req: IncomingMessage) => string
  limits: Pick<Config['limits'], 'bufferBytes' | 'messageBytes'>
}

const REQUEST_ID = /^[A-Za-z0-9._-]{8,64}$/

/**
 * OAuth errors of a login that is still waiting. They are routine: at a higher log level they would hide what
 * an operator looks for.
 */
const ROUTINE = new Set(['authorization_pending', 'slow_down'])
const levelOf = ({ status, method, state }: Context): 'error' | 'warn' | 'info' | 'debug' => {
  if (status >= 500) return 'error'
  const isRoutine = (state.routine && !state.isAct) || ROUTINE.has(state.code ?? '')
  if (status >= 400 && !ROUTINE.has(state.code ?? '')) return 'warn'
  return method === 'GET' || isRoutine ? 'debug' : 'info'
}

/** Whether somebody was told no, other than because a part of the cluster does not work. */
const isRefusal = ({ status, state }: Context): boolean =>
  state.code === 'CODES_EXHAUSTED' || (status >= 400 && status < 500 && !ROUTINE.has(state.code ?? ''))

/** The Koa application: all HTTP routes except those of Engine.IO. */
export const createApp = (deps: AppDeps, options: AppOptions): Koa<RequestState> => {
  const { tickets, holds, metrics, audit, log, trace } = deps
  const { nodeId, origin, webRoot, origins, addressOf } = options
  const app = new Koa<RequestState>()
  // The provider is mounted and sets the cookies of interactions by this application. Their value is known to
  // everybody who has the address of the page.
  app.keys = cookieKeys(options.secrets)
  if (trace) app.use(trace.request)

  app.use(async (ctx, next) => {
    const started = process.hrtime.bigint()
    const given = ctx.get('X-Request-Id')
    ctx.state.requestId = REQUEST_ID.test(given) ? given : randomUUID()
    ctx.state.origin = origin
    ctx.request.ip = addressOf(ctx.req)
    ctx.set('X-Saoma-Node', nodeId)
    ctx.set('X-Request-Id', ctx.state.requestId)
    ctx.set('X-Content-Type-Options', 'nosniff')
    ctx.set('Referrer-Policy', 'no-referrer')
    if (origin.startsWith('https:')) ctx.set('Strict-Transport-Security', 'max-age=31536000')
    await next()

    const seconds = Number(process.hrtime.bigint() - started) / 1e9
    // The provider is mounted, and knows its routes without that.
    const matched = ctx._matchedRoute ? `${ctx._matchedRoute}` : undefined
    const mounted = ctx.path.startsWith('/oidc/') && !matched?.startsWith('/oidc/') ? '/oidc' : ''
    const route = matched === undefined ? 'page' : `${mounted}${matched}`
    ctx.state.route = route
    if (!ctx.state.held) metrics.requests.observe({ route, status: String(ctx.status) }, seconds)
    const { code } = ctx.state
    if (code !== undefined && isRefusal(ctx)) audit.refusals.count(code)
    const level = levelOf(ctx)
    log[level]({
      event: 'request',
      request: ctx.state.requestId,
      method: ctx.method,
      // The name of a channel is logged at debug only, because it says who talks with whom.
      path: ctx.state.routine && level !== 'debug' ? route : ctx.path.slice(0, 256),
      status: ctx.status,
      ...ctx.state.login,
      ...(ctx.state.key ? { key: ctx.state.key } : {}),
      ...(ctx.state.code ? { code: ctx.state.code, reason: ctx.state.reason ?? ctx.state.detail } : {}),
      ...(ctx.state.trace ? { trace: ctx.state.trace } : {}),
      ip: ctx.ip,
      ms: Math.round(seconds * 1000),
    })
  })

  app.use(crossOrigin(origins, (from) => deps.clients.hasOrigin(from)))
  app.use(problems(log))

  app.use(bounded(deps, options.limits.messageBytes))

  const { scanMs, confirmMs, redeemMs } = tickets.times
  const ticketSeconds = Math.ceil((scanMs + confirmMs + redeemMs) / 1000)
  app.use(oauth(deps, { ticketSeconds, secure: origin.startsWith('https:') }))

  const routers = [
    ticketRoutes(deps),
    interactionRoutes(deps, { origin }),
    userCodeRoutes(deps),
    qrRoutes(deps, { hasLink: deps.link !== undefined }),
    linkRoutes(deps),
    wechatPolls(tickets, holds),
    publishRoutes(deps),
    meshRoutes(deps),
    channelRoutes(deps),
    loginRoutes(deps),
    requestRoutes(deps),
    browserRoutes(deps),
    userinfoRoutes(deps),
    logoutRoutes(deps, { origin }),
    activityRoutes(deps),
    peopleRoutes(deps),
    messageRoutes(deps, { maxBufferBytes: options.limits.bufferBytes }),
    diagnosisRoutes(options),
    appLinkRoutes(options),
    ...(options.adminApi === 'public' ? adminRouters(deps) : []),
  ]
  for (const router of routers) {
    app.use(router.routes())
    app.use(router.allowedMethods())
  }
  if (webRoot && deps.builds) {
    const cdn = options.pool?.cdn
    app.use(pages({ root: webRoot, origin, demo: options.demo, builds: deps.builds, ...(cdn ? { cdn } : {}) }))
  }

  // Errors that reach this point come from a broken connection. A client that left, or a body that broke off
  // (Node's parser: HPE_INVALID_EOF_STATE), is not an error of the server.
  app.on('error', (error: NodeJS.ErrnoException) => {
    if (!/^(ECONNRESET|EPIPE|ECANCELED|ERR_STREAM_PREMATURE_CLOSE|HPE_.*)$/.test(error.code ?? ''))
      log.error({ err: error }, 'answer failed')
  })
  return app
}
