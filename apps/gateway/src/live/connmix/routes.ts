import Router from '@koa/router'
import { type Code, codes, fail, type Published, type Result } from '@saoma/protocol'
import { RedisUnavailable } from '@saoma/redis'
import type { Authenticate } from '../../access/principal.ts'
import type { Metrics } from '../../operate/metrics.ts'
import { readBody } from '../../transport/http/body.ts'
import type { Context, RequestState } from '../../transport/http/context.ts'
import { callerOf } from '../../transport/http/credentials.ts'
import { channelOf } from '../channel-name.ts'
import { countPublication } from '../count-publication.ts'
import type { Live } from '../live.ts'
import { meshPublication } from './publication.ts'

export interface MeshRoutesDeps {
  live: Live
  authenticate: Authenticate
  metrics: Pick<Metrics, 'published'>
}

/** CONNMIX's own error number for an invalid argument. */
const INVALID_ARGUMENT = 101

const refuse = (ctx: Context, code: Code, retryAfter = 2): void => {
  const { status, say } = codes[code]
  const isArgument = code === 'INVALID' || code === 'TOO_LARGE'
  ctx.status = code === 'INVALID' ? 400 : status
  if (status === 429 || status === 502 || status === 503) ctx.set('Retry-After', String(retryAfter))
  ctx.body = { E: { c: isArgument ? INVALID_ARGUMENT : status, m: say.en } }
  ctx.state.code = code
}

/** The HTTP API of CONNMIX, for backends that were written for it. */
export const meshRoutes = ({ live, authenticate, metrics }: MeshRoutesDeps): Router<RequestState> => {
  const router = new Router<RequestState>({ prefix: '/v1', sensitive: true })

  const publish = async (ctx: Context): Promise<Result<Published>> => {
    const who = await callerOf(ctx, authenticate)
    if (!who.ok) return who
    if (who.value.kind !== 'backend') return fail('FORBIDDEN')
    const body = await readBody(ctx)
    const publication = 'json' in body ? meshPublication(body.json) : fail(body.code)
    if (!publication.ok) return publication
    return countPublication(metrics, async () => {
      const channel = channelOf(who.value, publication.value.channel)
      return channel.ok ? live.publish(who.value, { ...publication.value, channel: channel.value }) : channel
    })
  }

  router.post('/mesh/publish', async (ctx) => {
    ctx.state.routine = true
    ctx.set('Cache-Control', 'no-store')
    try {
      const published = await publish(ctx)
      if (!published.ok) return refuse(ctx, published.code, published.retryAfter)
      // In CONNMIX `f` counts failed writes to sockets. Our clients recover what they missed, so it is 0.
      ctx.body = { E: null, r: { s: published.value.connections, f: 0 } }
    } catch (error) {
      if (!(error instanceof RedisUnavailable)) throw error
      refuse(ctx, 'REDIS_UNAVAILABLE')
    }
  })

  return router
}
