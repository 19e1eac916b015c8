import { Readable } from 'node:stream'
import Router from '@koa/router'
import type { Accounts } from '@saoma/accounts'
import type { Audit } from '@saoma/audit'
import { ok } from '@saoma/protocol'
import type { Authenticate } from '../access/principal.ts'
import type { Metrics } from '../operate/metrics.ts'
import type { RequestState } from '../transport/http/context.ts'
import { scoped } from '../transport/http/credentials.ts'
import { answer } from '../transport/http/problem.ts'
import { shapes } from './account-request.ts'
import { noteRead } from './acted.ts'
import { type AccountView, viewAccount } from './export-person.ts'
import type { PeopleActs } from './people-acts.ts'
import { aboutPerson, bodyOf, noAccount, queryOf } from './person-route.ts'

export interface AccountRoutesDeps extends PeopleActs {
  accounts: Pick<Accounts, 'search' | 'find' | 'identities'>
  audit: Pick<Audit, 'note'>
  authenticate: Authenticate
  metrics: Pick<Metrics, 'sessionsEnded'>
}

/** Answer of `GET /v1/admin/accounts`. */
export interface AccountList {
  accounts: AccountView[]
}

/**
 * The routes with which administrators find people, lock them out, delete and export them. There is no list
 * of all people: see `AccountSearch` of the accounts.
 */
export const accountRoutes = (deps: AccountRoutesDeps): Router<RequestState> => {
  const { accounts, audit, authenticate, metrics, setAccountState, deletePerson, exportPerson } = deps
  const router = new Router<RequestState>({ prefix: '/v1/admin', sensitive: true })
  const count = (ended: number): void => metrics.sessionsEnded.inc({ by: 'backend' }, ended)

  router.get(
    '/accounts',
    scoped(authenticate, 'accounts:read', async (ctx, who) => {
      const wanted = queryOf(ctx, shapes.search)
      if (!wanted) return
      const sub = await accounts.search(wanted)
      const found = sub === undefined ? undefined : await viewAccount(accounts, sub)
      noteRead(audit, ctx, who, 'accounts.search', found && { person: found.sub })
      answer<AccountList>(ctx, ok({ accounts: found ? [found] : [] }))
    }),
  )

  router.get(
    '/accounts/:sub',
    aboutPerson(authenticate, 'accounts:read', async (ctx, { sub, who }) => {
      const found = await viewAccount(accounts, sub)
      // Of who was deleted nothing is shown, and nothing is noted any more.
      if (found && found.state !== 'deleted') noteRead(audit, ctx, who, 'accounts.read', { person: sub })
      return found ? answer<AccountView>(ctx, ok(found)) : noAccount(ctx)
    }),
  )

  router.post(
    '/accounts/:sub/disable',
    aboutPerson(authenticate, 'accounts:write', async (ctx, { sub, cause }) => {
      const asked = await bodyOf(ctx, shapes.disable, {})
      if (!asked) return
      const set = await setAccountState.disable(sub, cause, asked.reason)
      if (!set) return noAccount(ctx)
      count(set.ended)
      answer(ctx, ok({ sub, ...set }))
    }),
  )

  router.post(
    '/accounts/:sub/enable',
    aboutPerson(authenticate, 'accounts:write', async (ctx, { sub, cause }) => {
      if (!(await bodyOf(ctx, shapes.nothing, {}))) return
      const set = await setAccountState.enable(sub, cause)
      return set ? answer(ctx, ok({ sub, ...set })) : noAccount(ctx)
    }),
  )

  router.delete(
    '/accounts/:sub',
    aboutPerson(authenticate, 'accounts:write', async (ctx, { sub, cause }) => {
      const deleted = await deletePerson(sub, cause)
      count(deleted.ended)
      answer(ctx, ok({ sub, ...deleted }))
    }),
  )

  router.get(
    '/accounts/:sub/export',
    aboutPerson(authenticate, 'accounts:read', async (ctx, { sub, cause }) => {
      const pieces = await exportPerson(sub)
      if (!pieces) return noAccount(ctx)
      ctx.type = 'application/json'
      ctx.set('Cache-Control', 'no-store')
      // A HEAD gets nothing of it.
      if (ctx.method === 'HEAD') {
        ctx.status = 200
        return
      }
      audit.note({ kind: 'admin.acted', person: sub, reason: 'accounts.export', ...cause })
      ctx.body = Readable.from(pieces, { objectMode: false })
    }),
  )

  return router
}
