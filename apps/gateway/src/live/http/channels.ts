import Router from '@koa/router'
import { parseRead, type Result } from '@saoma/protocol'
import * as v from 'valibot'
import type { Authenticate, Principal } from '../../access/principal.ts'
import { readJson } from '../../transport/http/body.ts'
import type { Context, RequestState } from '../../transport/http/context.ts'
import { authenticated } from '../../transport/http/credentials.ts'
import { answer, problem } from '../../transport/http/problem.ts'
import { Ordinal } from '../../transport/http/query.ts'
import { type ChannelName, channelOf } from '../channel-name.ts'
import type { Live } from '../live.ts'

const NO_CHANNEL = 'this is no name of a channel'

/** The routes of a channel other than those for its messages. */
export const channelRoutes = ({
  live,
  authenticate,
}: {
  live: Live
  authenticate: Authenticate
}): Router<RequestState> => {
  const router = new Router<RequestState>({ prefix: '/v1', sensitive: true })

  /** Makes a route for the channel in the address. `rule` explains an INVALID request. */
  const ofChannel = (
    rule: string,
    act: (who: Principal, channel: ChannelName, ctx: Context) => Promise<Result<object> | undefined>,
  ) =>
    authenticated(authenticate, async (ctx, who) => {
      const channel = channelOf(who, ctx.params.channel)
      const result = channel.ok ? await act(who, channel.value, ctx) : channel
      if (result) answer(ctx, result, rule)
    })

  router.get('/channels/:channel/presence', ofChannel(NO_CHANNEL, live.presence))
  router.get('/channels/:channel/inbox', ofChannel('only user: channels have an inbox', live.inbox))

  router.post(
    '/channels/:channel/read',
    ofChannel('offset is a whole number, and only user: channels have an inbox', async (who, channel, ctx) => {
      const body = await readJson(ctx)
      if (!body) return undefined
      const asked = parseRead({ channel, offset: Object(body.json).offset })
      return asked.ok ? live.markRead(who, channel, asked.value.offset) : asked
    }),
  )

  router.delete(
    '/channels/:channel/messages',
    authenticated(authenticate, async (ctx, who) => {
      const { before } = ctx.query
      if (!v.is(Ordinal, before)) return problem(ctx, 'INVALID', 'before is an offset')
      if (who.kind !== 'backend') return problem(ctx, 'FORBIDDEN')
      const channel = channelOf(who, ctx.params.channel)
      answer(ctx, channel.ok ? await live.trim(who, channel.value, Number(before)) : channel, NO_CHANNEL)
    }),
  )

  return router
}
