import Router from '@koa/router'
import { type Audit, activityCursorPattern, MOST_ACTIVITY } from '@saoma/audit'
import type { ActivityPage } from '@saoma/protocol'
import * as v from 'valibot'
import type { RequestState } from '../transport/http/context.ts'
import { answer, problem } from '../transport/http/problem.ts'
import { count } from '../transport/http/query.ts'
import { type OwnRouteDeps, ownRoute } from './own-route.ts'

export interface ActivityRoutesDeps extends OwnRouteDeps {
  audit: Pick<Audit, 'activity'>
}

/** A cursor of `GET /v1/me/activity`. */
export const ActivityCursor = v.pipe(v.string(), v.regex(activityCursorPattern))
const ENTRIES = 20

/** The route with which a person reads what happened to their own logins. */
export const activityRoutes = ({ audit, ...deps }: ActivityRoutesDeps): Router<RequestState> => {
  const router = new Router<RequestState>({ prefix: '/v1', sensitive: true })
  const own = ownRoute(deps)

  router.get(
    '/me/activity',
    own(async (ctx, who) => {
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
