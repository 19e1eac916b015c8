import Router from '@koa/router'
import type { Identity } from '@saoma/identity'
import { type EndNotice, fail, ok, type Result, type SessionList, type SessionsEnded } from '@saoma/protocol'
import * as v from 'valibot'
import type { Person } from '../access/principal.ts'
import type { Metrics } from '../operate/metrics.ts'
import type { Context, RequestState } from '../transport/http/context.ts'
import { answer, problem } from '../transport/http/problem.ts'
import { whereFrom } from './audited.ts'
import { because, type EndCause } from './end-cause.ts'
import { type OwnRouteDeps, ownRoute } from './own-route.ts'
import { createReportLogin, type ReportLoginDeps } from './report-login.ts'

export interface LoginRoutesDeps extends OwnRouteDeps {
  identity: Identity
  audit: ReportLoginDeps['audit']
  inbox: ReportLoginDeps['inbox']
  metrics: Metrics
}

/** The id of a session in an address. */
export const SessionId = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{22}$/))
/** Which session stays when a person ends all. */
export const Keep = v.literal('current')

/** What the page of an ended session is told. */
const OWN: EndNotice = { code: 'REVOKED' }

/** The routes with which a person lists and ends their own logins. */
export const loginRoutes = (deps: LoginRoutesDeps): Router<RequestState> => {
  const { identity, metrics } = deps
  const router = new Router<RequestState>({ prefix: '/v1', sensitive: true })
  const reportLogin = createReportLogin(deps)

  const own = ownRoute(deps)

  const ended = (ctx: Context, who: Person, count: number): Result<SessionsEnded> => {
    // A deliberate logout is not routine, so log it.
    ctx.state.routine = false
    metrics.sessionsEnded.inc({ by: who.sid === undefined ? 'phone' : 'browser' }, count)
    return ok({ ended: count })
  }

  const causeOf = (ctx: Context, who: Person): EndCause => ({
    by: who.sid === undefined ? 'phone' : 'browser',
    ...whereFrom(ctx),
  })
  /** Ends sessions, and says for the audit that the person did. */
  const byHand = <T>(ctx: Context, who: Person, act: () => Promise<T>): Promise<T> =>
    because(() => ({ ...causeOf(ctx, who), reason: 'ended' }), act)

  router.get(
    '/sessions',
    own(async (ctx, who) => {
      const records = await identity.sessions(who.user)
      answer<SessionList>(
        ctx,
        ok({ sessions: records.map((record) => ({ ...record, current: record.sid === who.sid })) }),
      )
    }),
  )

  router.delete(
    '/sessions/:sid',
    own(async (ctx, who) => {
      const sid = ctx.params.sid ?? ''
      const done = v.is(SessionId, sid) && (await byHand(ctx, who, () => identity.end(who.user, sid, OWN)))
      answer(ctx, done ? ended(ctx, who, 1) : fail('SESSION_NOT_FOUND'))
    }),
  )

  router.post(
    '/sessions/:sid/report',
    own(async (ctx, who) => {
      const sid = ctx.params.sid ?? ''
      const reported = v.is(SessionId, sid) ? await reportLogin(who.user, sid, causeOf(ctx, who)) : undefined
      answer(ctx, reported?.ok ? ended(ctx, who, reported.value.ended) : fail('SESSION_NOT_FOUND'))
    }),
  )

  router.delete(
    '/sessions',
    own(async (ctx, who) => {
      const { keep } = ctx.query
      if (keep !== undefined && !v.is(Keep, keep)) return problem(ctx, 'INVALID', 'keep is "current", or absent')
      const count = await byHand(ctx, who, () => identity.endAll(who.user, keep && who.sid, OWN))
      answer(ctx, ended(ctx, who, count))
    }),
  )

  return router
}
