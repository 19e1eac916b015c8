import Router from '@koa/router'
import { ok } from '@saoma/protocol'
import * as v from 'valibot'
import type { Authenticate } from '../../access/principal.ts'
import { readJson } from '../../transport/http/body.ts'
import { known } from '../../transport/http/credentials.ts'
import { answer, problem } from '../../transport/http/problem.ts'
import { count } from '../../transport/http/query.ts'
import type { Live } from '../live.ts'

const Read = v.object({ offset: v.unknown() })
const End = v.object({ sid: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(128))) })

/** What can be asked of a channel, and done to it, besides its messages. */
export const channelRoutes = ({ live, authenticate }: { live: Live; authenticate: Authenticate }): Router => {
  const router = new Router({ prefix: '/v1', sensitive: true })

  router.get(
    '/channels/:channel/presence',
    known(authenticate, async (ctx, who) =>
      answer(ctx, await live.presence(who, { channel: ctx.params.channel }), 'this is no name of a channel'),
    ),
  )

  router.get(
    '/channels/:channel/inbox',
    known(authenticate, async (ctx, who) =>
      answer(ctx, await live.inbox(who, { channel: ctx.params.channel }), 'only user: channels have an inbox'),
    ),
  )

  router.post(
    '/channels/:channel/read',
    known(authenticate, async (ctx, who) => {
      const body = await readJson(ctx)
      if (!body) return
      const read = v.safeParse(Read, body.json)
      const offset = read.success ? read.output.offset : undefined
      const marked = await live.markRead(who, { channel: ctx.params.channel, offset })
      answer(ctx, marked, 'offset is a whole number, and only user: channels have an inbox')
    }),
  )

  router.delete(
    '/channels/:channel/messages',
    known(authenticate, async (ctx, who) => {
      const before = count(ctx.query.before, 0, Number.MAX_SAFE_INTEGER)
      if (!before.ok || before.value === 0) return problem(ctx, 'INVALID', 'before is an offset')
      answer(ctx, await live.trim(who, ctx.params.channel ?? '', before.value), 'this is no name of a channel')
    }),
  )

  router.post(
    '/users/:user/end',
    known(authenticate, async (ctx, who) => {
      const body = await readJson(ctx, {})
      if (!body) return
      const end = v.safeParse(End, body.json)
      if (!end.success) return problem(ctx, 'INVALID', 'sid is the id of a session, or absent')
      const ended = await live.end(who, ctx.params.user ?? '', end.output.sid)
      answer(ctx, ended.ok ? ok({}) : ended, 'this is no id of a person')
      if (ended.ok) ctx.status = 202
    }),
  )

  return router
}
