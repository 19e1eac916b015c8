import Router from '@koa/router'
import { type Code, fail, OWN_CHANNEL, type Published, parsePublication, type Result } from '@saoma/protocol'
import { RedisUnavailable } from '@saoma/redis'
import type { Context } from 'koa'
import type { Authenticate, Principal } from '../../access/principal.ts'
import { readJson } from '../../transport/http/body.ts'
import { known } from '../../transport/http/credentials.ts'
import { answer, problem, tooMany } from '../../transport/http/problem.ts'
import type { Limits } from '../../transport/limits.ts'
import { refusal } from '../../transport/refusal.ts'
import type { Live } from '../live.ts'

export interface PublishRoutesDeps {
  live: Live
  authenticate: Authenticate
  limits: Limits
}

/** Most messages in one call. */
const LARGEST_BATCH = 100

/**
 * After these the next message of the channel would overtake one that is yet to come, or came without our
 * knowing.
 */
const STOPPING: readonly Code[] = ['REDIS_UNAVAILABLE', 'BACKEND_UNAVAILABLE', 'RATE_LIMITED']

const sample = { channel: 'room:any', event: 'any', data: null }
const isRecord = (input: unknown): input is Record<string, unknown> =>
  typeof input === 'object' && input !== null && !Array.isArray(input)

/** Names the members that do not fit, for whoever writes the backend. */
const explain = (input: unknown): string => {
  if (!isRecord(input)) return 'a message is an object with channel, event and data'
  const wrong = [...Object.keys(sample), 'idempotencyKey', 'volatile'].filter(
    (key) => !parsePublication({ ...sample, [key]: input[key] }).ok,
  )
  if (wrong.length > 0) return `missing or not well formed: ${wrong.join(', ')}`
  return input.channel === OWN_CHANNEL ? 'an API key has no channel of its own' : 'this message cannot be published'
}

/** Publishing over HTTP: one message, or many in one call. */
export const publishRoutes = ({ live, authenticate, limits }: PublishRoutesDeps): Router => {
  const router = new Router({ prefix: '/v1', sensitive: true })

  /** A person may say as much here as over a connection. A key's calls are counted as calls. */
  const slowness = async (who: Principal) => (who.kind === 'person' ? limits.liveEvents(`http:${who.user}`) : undefined)

  /** One of many: its failure is its own. */
  const attempt = async (who: Principal, input: unknown): Promise<Result<Published>> => {
    try {
      const slow = await slowness(who)
      return slow ? fail('RATE_LIMITED', slow.retryAfterSeconds) : await live.publish(who, input)
    } catch (error) {
      if (error instanceof RedisUnavailable) return fail('REDIS_UNAVAILABLE')
      throw error
    }
  }

  /** Each channel's messages one after the other, the channels side by side. */
  const publishAll = async (who: Principal, inputs: readonly unknown[]): Promise<Result<Published>[]> => {
    const results: Result<Published>[] = []
    const byChannel = new Map<string, number[]>()
    inputs.forEach((input, i) => {
      const channel = live.resolve(who, isRecord(input) ? input.channel : undefined)
      if (channel.ok) byChannel.set(channel.value, [...(byChannel.get(channel.value) ?? []), i])
      else results[i] = channel
    })
    await Promise.all(
      [...byChannel.values()].map(async (indexes) => {
        let stopped: Result<Published> | undefined
        for (const i of indexes) {
          const result = stopped ?? (await attempt(who, inputs[i]))
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
    const result = await live.publish(who, input)
    if (!result.ok && result.code === 'INVALID') return problem(ctx, 'INVALID', explain(input))
    answer(ctx, result)
  }

  router.post(
    '/publish',
    known(authenticate, async (ctx, who) => {
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
