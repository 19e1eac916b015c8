import Router from '@koa/router'
import type { Audit } from '@saoma/audit'
import type { Identity, SessionRecord } from '@saoma/identity'
import { ok, type SessionsEnded, userChannel } from '@saoma/protocol'
import { type Authenticate, matches } from '../access/principal.ts'
import type { EndPerson } from '../login/end-person.ts'
import { endRequest } from '../login/end-request.ts'
import type { Metrics } from '../operate/metrics.ts'
import { readJson } from '../transport/http/body.ts'
import type { RequestState } from '../transport/http/context.ts'
import { answer, problem } from '../transport/http/problem.ts'
import { readStrictly } from '../transport/http/shape.ts'
import { noteRead } from './acted.ts'
import { aboutPerson } from './person-route.ts'

export interface SessionRoutesDeps {
  identity: Pick<Identity, 'sessions'>
  endPerson: EndPerson
  audit: Pick<Audit, 'note'>
  authenticate: Authenticate
  metrics: Pick<Metrics, 'sessionsEnded'>
}

/** Answer of `GET /v1/admin/accounts/{sub}/sessions`: all of them, which are at most 100. */
export interface PersonSessions {
  sessions: SessionRecord[]
}

/** The routes with which administrators see and end the sessions of a person. */
export const sessionRoutes = ({
  identity,
  endPerson,
  audit,
  authenticate,
  metrics,
}: SessionRoutesDeps): Router<RequestState> => {
  const router = new Router<RequestState>({ prefix: '/v1/admin', sensitive: true })

  router.get(
    '/accounts/:sub/sessions',
    aboutPerson(authenticate, 'accounts:read', async (ctx, { sub, who }) => {
      const sessions = await identity.sessions(sub)
      if (sessions.length > 0) noteRead(audit, ctx, who, 'accounts.sessions', { person: sub })
      answer<PersonSessions>(ctx, ok({ sessions }))
    }),
  )

  router.post(
    '/accounts/:sub/sessions/end',
    aboutPerson(authenticate, 'sessions:end', async (ctx, { sub, who, cause }) => {
      // As at the public port: a key of the file that names rooms alone has this scope, too.
      if (!who.channels.some((pattern) => matches(pattern, userChannel(sub)))) return problem(ctx, 'FORBIDDEN')
      const body = await readJson(ctx, {})
      if (!body) return
      const asked = readStrictly(endRequest, body.json, 'member')
      if (!asked.ok) return problem(ctx, 'INVALID', asked.why)
      const ended = await endPerson(sub, cause, asked.value)
      metrics.sessionsEnded.inc({ by: 'backend' }, ended)
      answer<SessionsEnded>(ctx, ok({ ended }))
    }),
  )

  return router
}
