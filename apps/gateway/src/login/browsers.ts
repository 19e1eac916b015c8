import Router from '@koa/router'
import type { Identity } from '@saoma/identity'
import { fail, type KnownBrowsers, ok } from '@saoma/protocol'
import * as v from 'valibot'
import type { RequestState } from '../transport/http/context.ts'
import { answer } from '../transport/http/problem.ts'
import { type OwnRouteDeps, ownRoute } from './own-route.ts'

export interface BrowserRoutesDeps extends OwnRouteDeps {
  identity: Pick<Identity, 'browsers'>
}

/** The id of a browser in an address: the thumbprint of a key. */
export const BrowserId = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{43}$/))

/** The routes of the browsers that may ask a person's phone. */
export const browserRoutes = ({ identity, ...deps }: BrowserRoutesDeps): Router<RequestState> => {
  const router = new Router<RequestState>({ prefix: '/v1', sensitive: true })

  const own = ownRoute(deps)

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
