import Router from '@koa/router'
import { type Audit, activityCursorPattern, MOST_ACTIVITY } from '@saoma/audit'
import type { ActivityPage } from '@saoma/protocol'
import * as v from 'valibot'
import type { Authenticate } from '../access/principal.ts'
import type { RequestState } from '../transport/http/context.ts'
import { authenticated } from '../transport/http/credentials.ts'
import { answer, problem, tooMany } from '../transport/http/problem.ts'
import { count } from '../transport/http/query.ts'
import type { Limits } from '../transport/limits.ts'

export interface ActivityRoutesDeps {
  audit: Pick<Audit, 'activity'>
  authenticate: Authenticate
  limits: Limits
}

/** A cursor of `GET /v1/me/activity`. */
export const ActivityCursor = v.pipe(v.string(), v.regex(activityCursorPattern))
const ENTRIES = 20

/** The route with which a person reads what happened to their own logins. */
export const activityRoutes = ({ audit, authenticate, limits }: ActivityRoutesDeps): Router<RequestState> => {
  const router = new Router<RequestState>({ prefix: '/v1', sensitive: true })

  router.get(
    '/me/activity',
    authenticated(authenticate, async (ctx, who) => {
      // A business keeps the activity of its own tokens.
      if (who.kind !== 'person' || who.issuer !== 'saoma') return problem(ctx, 'FORBIDDEN')
      const slow = await limits.decisions(who.user)
      if (slow) return tooMany(ctx, slow.retryAfterSeconds)
      const limit = count(ctx.query.limit, ENTRIES, MOST_ACTIVITY)
      const { cursor } = ctx.query
      if (!limit.ok) return problem(ctx, 'INVALID', 'limit is a whole number')
      if (cursor !== undefined && !v.is(ActivityCursor, cursor))
        return problem(ctx, 'INVALID', 'cursor is that of the page before')
      const page = await audit.activity(who.user, { limit: limit.value, ...(cursor ? { cursor } : {}) })
      answer<ActivityPage>(ctx, page)
    }),
  )

  return router
}
