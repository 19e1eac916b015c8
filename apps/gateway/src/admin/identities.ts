import Router from '@koa/router'
import type { Accounts, OutsideIdentity } from '@saoma/accounts'
import { ok } from '@saoma/protocol'
import type { Authenticate } from '../access/principal.ts'
import { because } from '../login/end-cause.ts'
import type { Context, RequestState } from '../transport/http/context.ts'
import { answer, problem } from '../transport/http/problem.ts'
import { shapes } from './account-request.ts'
import { aboutPerson, bodyOf, noAccount } from './person-route.ts'

export interface IdentityRoutesDeps {
  accounts: Pick<Accounts, 'find' | 'identities' | 'link' | 'unlink'>
  authenticate: Authenticate
}

/** Answer of both routes: the identities that the account has now. */
export interface IdentityList {
  sub: string
  identities: OutsideIdentity[]
}

/** The routes with which administrators say by which identities a person is found. */
export const identityRoutes = ({ accounts, authenticate }: IdentityRoutesDeps): Router<RequestState> => {
  const router = new Router<RequestState>({ prefix: '/v1/admin', sensitive: true })

  const answerList = async (ctx: Context, sub: string): Promise<void> =>
    answer<IdentityList>(ctx, ok({ sub, identities: await accounts.identities(sub) }))

  router.post(
    '/accounts/:sub/identities',
    aboutPerson(authenticate, 'accounts:write', async (ctx, { sub, cause }) => {
      const identity = await bodyOf(ctx, shapes.newIdentity)
      if (!identity) return
      const linked = await because(
        () => cause,
        () => accounts.link(sub, identity),
      )
      if (linked === 'taken') return problem(ctx, 'INVALID', 'this identity has another account')
      if (linked === 'full') return problem(ctx, 'INVALID', 'this account has as many identities as one may have')
      if (linked === 'linked') return answerList(ctx, sub)
      const found = await accounts.find(sub)
      if (found?.state === 'disabled') return problem(ctx, 'INVALID', 'this account is disabled')
      noAccount(ctx)
    }),
  )

  router.delete(
    '/accounts/:sub/identities',
    aboutPerson(
      authenticate,
      'accounts:write',
      async (ctx, { sub, cause }, identity) => {
        if ((await accounts.find(sub)) === undefined) return noAccount(ctx)
        const unlinked = await because(
          () => cause,
          () => accounts.unlink(sub, identity),
        )
        if (unlinked === 'last') return problem(ctx, 'INVALID', 'an account keeps its last identity')
        // Also if it was not there: it may have been taken off by a call whose answer was lost.
        await answerList(ctx, sub)
      },
      shapes.identityName,
    ),
  )

  return router
}
