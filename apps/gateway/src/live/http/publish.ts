import Router from '@koa/router'
import {
  type Code,
  type Failed,
  fail,
  ok,
  type Publication,
  type Published,
  parsePublication,
  type Result,
} from '@saoma/protocol'
import { RedisUnavailable } from '@saoma/redis'
import type { Authenticate, Principal } from '../../access/principal.ts'
import type { Metrics } from '../../operate/metrics.ts'
import { readJson } from '../../transport/http/body.ts'
import type { Context, RequestState } from '../../transport/http/context.ts'
import { authenticated } from '../../transport/http/credentials.ts'
import { answer, problem, tooMany } from '../../transport/http/problem.ts'
import type { Limits } from '../../transport/limits.ts'
import { refusal } from '../../transport/refusal.ts'
import { type ChannelName, channelOf } from '../channel-name.ts'
import { countPublication } from '../count-publication.ts'
import type { Live } from '../live.ts'

export interface PublishRoutesDeps {
  live: Live
  authenticate: Authenticate
  limits: Limits
  metrics: Pick<Metrics, 'published'>
}

/** Most messages in one call. */
export const LARGEST_BATCH = 100

/**
 * Errors that stop the rest of a channel's batch. The next message could overtake one that is published
 * later, or that was published although the answer was lost.
 */
const STOPPING: readonly Code[] = ['REDIS_UNAVAILABLE', 'BACKEND_UNAVAILABLE', 'RATE_LIMITED']

/** Explains what is wrong, for the developer of the backend. */
const explain = ({ unfit, detail }: Failed): string => {
  if (!unfit) return detail ?? 'this message cannot be published'
  if (unfit.length === 0) return 'a message is an object with channel, event and data'
  return `missing or not well formed: ${unfit.join(', ')}`
}

type ChannelPublication = Publication & { channel: ChannelName }

/** Parses a message and resolves the full name of its channel. */
const readPublication = (who: Principal, input: unknown): Result<ChannelPublication> => {
  const publication = parsePublication(input)
  if (!publication.ok) return publication
  const channel = channelOf(who, publication.value.channel)
  if (channel.ok) return ok({ ...publication.value, channel: channel.value })
  return { ...fail('INVALID'), detail: 'an API key has no channel of its own' }
}

/** Publishing over HTTP: one message, or many in one call. */
export const publishRoutes = ({ live, authenticate, limits, metrics }: PublishRoutesDeps): Router<RequestState> => {
  const router = new Router<RequestState>({ prefix: '/v1', sensitive: true })

  /**
   * The rate limit of a person is as high as over a connection. A key
   * is limited per request, by the middleware.
   */
  const slowness = async (who: Principal) => (who.kind === 'person' ? limits.liveEvents(`http:${who.user}`) : undefined)

  const publish = (who: Principal, publication: Result<ChannelPublication>): Promise<Result<Published>> =>
    countPublication(metrics, async () => (publication.ok ? live.publish(who, publication.value) : publication))

  /** Publishes one message of a batch. Its failure does not fail the batch. */
  const attempt = async (who: Principal, publication: ChannelPublication): Promise<Result<Published>> => {
    try {
      const slow = await slowness(who)
      return slow ? fail('RATE_LIMITED', slow.retryAfterSeconds) : await publish(who, ok(publication))
    } catch (error) {
      if (error instanceof RedisUnavailable) return fail('REDIS_UNAVAILABLE')
      throw error
    }
  }

  /** Publishes the messages of each channel in order, and different channels concurrently. */
  const publishAll = async (who: Principal, inputs: readonly unknown[]): Promise<Result<Published>[]> => {
    const results: Result<Published>[] = []
    const byChannel = new Map<string, [at: number, publication: ChannelPublication][]>()
    for (const [i, input] of inputs.entries()) {
      const publication = readPublication(who, input)
      if (publication.ok)
        byChannel.set(publication.value.channel, [
          ...(byChannel.get(publication.value.channel) ?? []),
          [i, publication.value],
        ])
      else results[i] = await publish(who, fail(publication.code))
    }
    await Promise.all(
      [...byChannel.values()].map(async (publications) => {
        let stopped: Result<Published> | undefined
        for (const [i, publication] of publications) {
          const result: Result<Published> = stopped ?? (await attempt(who, publication))
          if (!result.ok && STOPPING.includes(result.code)) stopped = result
          results[i] = result
        }
      }),
    )
    return results
  }

  const one = async (ctx: Context, who: Principal, input: unknown): Promise<void> => {
    const slow = await slowness(who)
    if (slow) return tooMany(ctx, slow.retryAfterSeconds)
    const result = await publish(who, readPublication(who, input))
    if (!result.ok && result.code === 'INVALID') return problem(ctx, 'INVALID', explain(result))
    answer(ctx, result)
  }

  router.post(
    '/publish',
    authenticated(authenticate, async (ctx, who) => {
      const body = await readJson(ctx)
      if (!body) return
      if (!Array.isArray(body.json)) return one(ctx, who, body.json)
      if (body.json.length > LARGEST_BATCH) return problem(ctx, 'INVALID', `more than ${LARGEST_BATCH} messages`)
      const results = await publishAll(who, body.json)
      ctx.set('Cache-Control', 'no-store')
      ctx.body = results.map((result) => (result.ok ? { ok: true, ...result.value } : refusal(result)))
    }),
  )

  return router
}
