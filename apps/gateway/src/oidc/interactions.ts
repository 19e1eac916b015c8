import Router from '@koa/router'
import { type Identity, INTERACTION_COOKIE } from '@saoma/identity'
import { fail, ok, type Result } from '@saoma/protocol'
import { bindCookies } from '../transport/http/bound-cookies.ts'
import type { Context, RequestState } from '../transport/http/context.ts'
import { bearer } from '../transport/http/credentials.ts'
import { answer, problem } from '../transport/http/problem.ts'

export interface InteractionRoutesDeps {
  identity: Pick<Identity, 'interactions'>
}

/** Where the browser goes on. */
interface GoesOn {
  location: string
}

/**
 * What the page of an authorization request asks and does. The browser that began the request has its uid in
 * a cookie. A browser that was only given the address has not, so nobody can prepare a login for somebody
 * else. Only our own page may call: the provider's cookies are sent to pages of the same site, too.
 */
export const interactionRoutes = (
  { identity: { interactions } }: InteractionRoutesDeps,
  { origin }: { origin: string },
): Router<RequestState> => {
  const router = new Router<RequestState>({ prefix: '/oidc/interaction', sensitive: true })
  const secure = origin.startsWith('https:')

  /** The interaction of the address, if this browser began it: its cookie is signed. */
  const uidOf = (ctx: Context): string | undefined => {
    const { uid } = ctx.params
    bindCookies(ctx, { secure, sets: false })
    return uid !== undefined && ctx.cookies.get(INTERACTION_COOKIE, { signed: true }) === uid ? uid : undefined
  }

  const act =
    (how: (uid: string, ctx: Context) => Promise<Result<string>>) =>
    async (ctx: Context): Promise<void> => {
      if (ctx.get('Origin') !== origin) return problem(ctx, 'ORIGIN_NOT_ALLOWED', 'only the login page may do this')
      const uid = uidOf(ctx)
      const done = uid === undefined ? fail('NOT_FOUND') : await how(uid, ctx)
      if (!done.ok) return problem(ctx, done.code)
      answer<GoesOn>(ctx, ok({ location: done.value }))
    }

  router.get('/:uid/details', async (ctx) => {
    const uid = uidOf(ctx)
    const view = uid === undefined ? undefined : await interactions.view(uid)
    answer(ctx, view ? ok(view) : fail('NOT_FOUND'))
  })
  router.post(
    '/:uid/login',
    act(async (uid, ctx) => {
      const token = bearer(ctx)
      return token === undefined ? fail('UNAUTHORIZED') : interactions.logIn(uid, token)
    }),
  )
  router.post('/:uid/consent', act(interactions.agree))
  router.post('/:uid/abort', act(interactions.decline))

  return router
}
