import Router from '@koa/router'
import type { Identity } from '@saoma/identity'
import { fail, type KnownBrowsers, ok } from '@saoma/protocol'
import * as v from 'valibot'
import type { Authenticate, Person } from '../access/principal.ts'
import type { Context, RequestState } from '../transport/http/context.ts'
import { authenticated } from '../transport/http/credentials.ts'
import { answer, problem, tooMany } from '../transport/http/problem.ts'
import type { Limits } from '../transport/limits.ts'

export interface BrowserRoutesDeps {
  identity: Identity
  authenticate: Authenticate
  limits: Limits
}

/** The id of a browser in an address: the thumbprint of a key. */
export const BrowserId = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{43}$/))

/** The routes of the browsers that may ask a person's phone. */
export const browserRoutes = ({ identity, authenticate, limits }: BrowserRoutesDeps): Router<RequestState> => {
  const router = new Router<RequestState>({ prefix: '/v1', sensitive: true })

  const own = (act: (ctx: Context, who: Person) => Promise<void>) =>
    authenticated(authenticate, async (ctx, who) => {
      if (who.kind !== 'person' || who.issuer !== 'saoma') return problem(ctx, 'FORBIDDEN')
      const slow = await limits.decisions(who.user)
      return slow ? tooMany(ctx, slow.retryAfterSeconds) : act(ctx, who)
    })

  router.get(
    '/me/browsers',
    own(async (ctx, who) => answer<KnownBrowsers>(ctx, ok({ browsers: await identity.browsers.list(who.user) }))),
  )

  router.delete(
    '/me/browsers/:browser',
    own(async (ctx, who) => {
      const id = ctx.params.browser ?? ''
      const isForgotten = v.is(BrowserId, id) && (await identity.browsers.forget(who.user, id))
      answer(ctx, isForgotten ? ok({}) : fail('NOT_FOUND'))
    }),
  )

  return router
}
