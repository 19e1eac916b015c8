import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type Router from '@koa/router'
import type { Audit } from '@saoma/audit'
import type { Channels } from '@saoma/channels'
import type { Tickets } from '@saoma/tickets'
import Koa from 'koa'
import type { Config } from '../config/config.ts'
import type { Logger } from '../operate/log.ts'
import { bounded } from '../transport/http/bounds.ts'
import type { RequestState } from '../transport/http/context.ts'
import { problems } from '../transport/http/problem.ts'
import type { Limits } from '../transport/limits.ts'
import { type AccountRoutesDeps, accountRoutes } from './accounts.ts'
import { type AuditRoutesDeps, auditRoutes } from './audit.ts'
import { type AdminChannelsDeps, channelRoutes } from './channels.ts'
import { type ClientRoutesDeps, clientRoutes } from './clients.ts'
import { type IdentityRoutesDeps, identityRoutes } from './identities.ts'
import { type KeysDeps, keyRoutes } from './keys.ts'
import { type AdminLoginsDeps, loginRoutes } from './logins.ts'
import { type AdminNodesDeps, nodeRoutes } from './nodes.ts'
import { type SessionRoutesDeps, sessionRoutes } from './sessions.ts'

export interface AdminDeps
  extends AuditRoutesDeps,
    AccountRoutesDeps,
    SessionRoutesDeps,
    AdminLoginsDeps,
    AdminChannelsDeps,
    AdminNodesDeps {
  accounts: AccountRoutesDeps['accounts'] & IdentityRoutesDeps['accounts']
  audit: Audit
  tickets: Tickets
  channels: Channels
  limits: Limits
  keys: KeysDeps
  /** The registered applications. */
  applications: ClientRoutesDeps['applications']
  log: Logger
}

/** The administrators' routes, `/v1/admin/…`. Each asks for an API key with a scope. */
export const adminRouters = (deps: AdminDeps): Router<RequestState>[] => [
  auditRoutes(deps),
  accountRoutes(deps),
  identityRoutes(deps),
  sessionRoutes(deps),
  loginRoutes(deps),
  channelRoutes(deps),
  nodeRoutes(deps),
  keyRoutes(deps),
  clientRoutes(deps),
]

/** The application of these routes at the internal port. */
export const createAdminApp = (
  deps: AdminDeps,
  { nodeId, origin, limits }: { nodeId: string; origin: string; limits: Pick<Config['limits'], 'messageBytes'> },
): ((req: IncomingMessage, res: ServerResponse) => unknown) => {
  const { audit, log } = deps
  const app = new Koa<RequestState>()
  app.use(async (ctx, next) => {
    ctx.state.requestId = randomUUID()
    ctx.state.origin = origin
    // The port listens for both kinds of addresses.
    ctx.request.ip = ctx.request.ip.replace(/^::ffff:/, '')
    ctx.set('X-Saoma-Node', nodeId)
    ctx.set('X-Request-Id', ctx.state.requestId)
    ctx.set('X-Content-Type-Options', 'nosniff')
    await next()
    const { requestId: request, code, detail: reason } = ctx.state
    if (code !== undefined && ctx.status < 500) audit.refusals.count(code)
    log.info({
      ...{ event: 'request', request, method: ctx.method, path: ctx._matchedRoute ?? 'none', status: ctx.status },
      ...(ctx.state.key ? { key: ctx.state.key } : {}),
      ...(code ? { code, reason } : {}),
      ip: ctx.ip,
    })
  })
  app.use(problems(log))
  app.use(bounded(deps, limits.messageBytes))
  for (const router of adminRouters(deps)) {
    app.use(router.routes())
    app.use(router.allowedMethods())
  }
  // The caller has left in the middle of an answer, or Redis has.
  app.on('error', (error: Error) => log.warn({ err: error }, 'an answer to an administrator broke off'))
  return app.callback()
}
