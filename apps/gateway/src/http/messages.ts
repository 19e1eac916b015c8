import Router from '@koa/router'
import { ok, type Page, type Refusal, type Result } from '@saoma/protocol'
import type { Context } from 'koa'
import { refusal } from '../io/event.ts'
import type { Authenticate, Principal, StillValid } from '../live/principal.ts'
import { type Asked, askedOfMany, askedOfOne } from './asked.ts'
import { known } from './credentials.ts'
import { hear } from './hear.ts'
import { type MessageStreamDeps, type MessageStreamOptions, streamMessages } from './message-stream.ts'
import { answer, problem } from './problem.ts'
import { count } from './query.ts'

/** Longest a poll is held, in seconds: below every proxy's default patience. */
const LONGEST_WAIT = 25
/** Most messages of one page, and of a beginning without a position. */
const LARGEST_PAGE = 300
const LONGEST_HISTORY = 100

export interface MessageRoutesDeps extends MessageStreamDeps {
  authenticate: Authenticate
  stillValid: StillValid
}

interface Reading {
  wait: number
  /** Undefined when the request does not say. */
  limit: number | undefined
}

/** One channel's part of an answer. */
type Read = Result<Page>

const isNews = (read: Read): boolean => !read.ok || !read.value.recovered || read.value.messages.length > 0

/** Messages over HTTP: pages, long polls and event streams, all with the positions of the other doors. */
export const messageRoutes = (deps: MessageRoutesDeps, options: MessageStreamOptions): Router => {
  const { live, authenticate, stillValid, holds, metrics } = deps
  const router = new Router({ prefix: '/v1', sensitive: true })

  const reading = (ctx: Context): Result<Reading> => {
    const wait = count(ctx.query.wait, 0, LONGEST_WAIT)
    const limit = ctx.query.limit === undefined ? ok(undefined) : count(ctx.query.limit, 0, LARGEST_PAGE)
    if (!wait.ok) return wait
    return limit.ok ? ok({ wait: wait.value, limit: limit.value }) : limit
  }

  const read = (
    who: Principal,
    { channel, since }: Asked,
    limit: number | undefined,
    history: number,
  ): Promise<Read> =>
    since
      ? live.read(who, channel, { since, ...(limit ? { limit } : {}) })
      : live.read(who, channel, { history: Math.min(limit ?? history, LONGEST_HISTORY) })

  /** Reads; if there is nothing new, waits until there is and reads again. So what is told is always the log's own word. */
  const poll = async (ctx: Context, who: Principal, asked: Asked[], { wait, limit }: Reading, history: number) => {
    const reads = await Promise.all(asked.map((one) => read(who, one, limit, history)))
    // Who has no position yet needs it at once: to hold the answer would lose what comes meanwhile.
    const holdable = wait > 0 && ctx.method === 'GET' && asked.every(({ since }) => since)
    if (!holdable || reads.some(isNews)) return ok(reads)

    const ms = Math.max(0, Math.min(wait * 1000, who.expiresAt - Date.now()))
    const heard = await holds.hold(ctx, (signal) => hear(live, who, asked, { ms, signal }))
    // The session may have ended in the meantime.
    const valid = heard.size > 0 ? await stillValid(who) : ok(true)
    metrics.longPollsDone.inc({ result: valid.ok ? (heard.size > 0 ? 'messages' : 'nothing') : valid.code })
    if (!valid.ok) return valid
    const again = asked.map((one, i) => (heard.has(one.channel) ? read(who, one, limit, history) : reads[i]))
    return ok((await Promise.all(again)).filter((one) => one !== undefined))
  }

  const wantsStream = (ctx: Context): boolean =>
    ctx.method === 'GET' && ctx.accepts('json', 'text/event-stream') === 'text/event-stream'

  /** A route by how it names its channels, and by what it tells a newcomer when not asked for more or less. */
  const serve = (
    readAsked: typeof askedOfOne,
    history: number,
    tell: (ctx: Context, reads: Result<Read[]>, asked: readonly Asked[]) => void,
  ) =>
    known(authenticate, async (ctx, who) => {
      const asked = readAsked(ctx, who, live)
      if (!asked.ok) return problem(ctx, asked.code, asked.detail)
      const how = reading(ctx)
      if (!how.ok) return problem(ctx, how.code, 'wait and limit are whole numbers')
      if (wantsStream(ctx)) {
        const from = { asked: asked.value, history: Math.min(how.value.limit ?? 0, LONGEST_HISTORY) }
        return streamMessages(ctx, deps, options, who, from)
      }
      tell(ctx, await poll(ctx, who, asked.value, how.value, history), asked.value)
    })

  router.get(
    '/channels/:channel/messages',
    serve(askedOfOne, LONGEST_HISTORY, (ctx, reads) => {
      const [only] = reads.ok ? reads.value : [reads]
      if (only) answer(ctx, only)
    }),
  )

  router.get(
    '/messages',
    serve(askedOfMany, 0, (ctx, reads, asked) => {
      const part = (one: Read, i: number): Page | ({ channel: string | undefined } & Refusal) =>
        one.ok ? one.value : { channel: asked[i]?.channel, ...refusal(one.code) }
      answer(ctx, reads.ok ? ok({ channels: reads.value.map(part) }) : reads)
    }),
  )

  return router
}
