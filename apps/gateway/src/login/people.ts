import Router from '@koa/router'
import { ok, parseChannel, type SessionsEnded, userChannel } from '@saoma/protocol'
import { type Authenticate, matches } from '../access/principal.ts'
import type { Metrics } from '../operate/metrics.ts'
import { readJson } from '../transport/http/body.ts'
import type { RequestState } from '../transport/http/context.ts'
import { scoped } from '../transport/http/credentials.ts'
import { answer, problem } from '../transport/http/problem.ts'
import { readStrictly } from '../transport/http/shape.ts'
import type { EndPerson } from './end-person.ts'
import { endRequest } from './end-request.ts'

export interface PeopleRoutesDeps {
  endPerson: EndPerson
  authenticate: Authenticate
  metrics: Metrics
}

/** The routes with which a backend acts on a person. */
export const peopleRoutes = ({ endPerson, authenticate, metrics }: PeopleRoutesDeps): Router<RequestState> => {
  const router = new Router<RequestState>({ prefix: '/v1', sensitive: true })

  router.post(
    '/users/:user/end',
    scoped(authenticate, 'sessions:end', async (ctx, who) => {
      const user = ctx.params.user ?? ''
      const channel = parseChannel(userChannel(user))
      if (!channel.ok) return problem(ctx, channel.code, 'this is no id of a person')
      if (!who.channels.some((pattern) => matches(pattern, channel.value))) return problem(ctx, 'FORBIDDEN')
      const body = await readJson(ctx, {})
      if (!body) return
      const asked = readStrictly(endRequest, body.json, 'member')
      if (!asked.ok) return problem(ctx, 'INVALID', asked.why)
      const ended = await endPerson(user, { by: 'backend', key: who.name, ip: ctx.ip }, asked.value)
      metrics.sessionsEnded.inc({ by: 'backend' }, ended)
      ctx.state.routine = false
      answer<SessionsEnded>(ctx, ok({ ended }))
      ctx.status = 202
    }),
  )

  return router
}
