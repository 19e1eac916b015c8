import Router from '@koa/router'
import { type Identity, sessionCookie } from '@saoma/identity'
import { fail, ok } from '@saoma/protocol'
import type { RequestState } from '../transport/http/context.ts'
import { answer } from '../transport/http/problem.ts'

export interface LogoutRoutesDeps {
  identity: Pick<Identity, 'logoutOf'>
}

/**
 * What the page of a logout asks: who wants it, and with what the page proves to be ours. Pages of other
 * origins cannot read that.
 */
export const logoutRoutes = ({ identity }: LogoutRoutesDeps, { origin }: { origin: string }): Router<RequestState> => {
  const router = new Router<RequestState>({ prefix: '/oidc/logout', sensitive: true })
  const cookie = sessionCookie(origin)

  router.get('/details', async (ctx) => {
    ctx.state.routine = true
    const session = ctx.cookies.get(cookie, { signed: true })
    const view = session === undefined ? undefined : await identity.logoutOf(session)
    answer(ctx, view ? ok(view) : fail('NOT_FOUND'))
  })

  return router
}
