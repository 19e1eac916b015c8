import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Audit } from '@saoma/audit'
import Koa from 'koa'
import type { Authenticate } from '../access/principal.ts'
import type { Logger } from '../operate/log.ts'
import type { RequestState } from '../transport/http/context.ts'
import { problems } from '../transport/http/problem.ts'
import { auditRoutes } from './audit.ts'
import { type KeysDeps, keyRoutes } from './keys.ts'

export interface AdminDeps {
  audit: Pick<Audit, 'read' | 'note'>
  authenticate: Authenticate
  keys: KeysDeps
  log: Logger
}

/**
 * The application of the administrators' routes, `/v1/admin/…`. Each asks for an API key with a scope.
 */
export const createAdminApp = (
  deps: AdminDeps,
  { nodeId, origin }: { nodeId: string; origin: string },
): ((req: IncomingMessage, res: ServerResponse) => unknown) => {
  const { log } = deps
  const app = new Koa<RequestState>()
  app.use(async (ctx, next) => {
    ctx.state.requestId = randomUUID()
    ctx.state.origin = origin
    ctx.set('X-Saoma-Node', nodeId)
    ctx.set('X-Request-Id', ctx.state.requestId)
    ctx.set('X-Content-Type-Options', 'nosniff')
    await next()
    const { requestId: request, code, detail: reason } = ctx.state
    log.info({
      ...{ event: 'request', request, method: ctx.method, path: ctx._matchedRoute ?? 'none', status: ctx.status },
      ...(ctx.state.key ? { key: ctx.state.key } : {}),
      ...(code ? { code, reason } : {}),
      ip: ctx.ip,
    })
  })
  app.use(problems(log))
  for (const router of [auditRoutes(deps), keyRoutes(deps)]) {
    app.use(router.routes())
    app.use(router.allowedMethods())
  }
  // The caller has left in the middle of an answer, or Redis has.
  app.on('error', (error: Error) => log.warn({ err: error }, 'an answer to an administrator broke off'))
  return app.callback()
}
