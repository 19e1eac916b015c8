import Router from '@koa/router'
import {
  type Code,
  type EndNotice,
  LONGEST_HOLD_SECONDS,
  MOST_HISTORY,
  ok,
  PAGE_BYTES,
  PAGE_MESSAGES,
  type Page,
  type Result,
} from '@saoma/protocol'
import type { Authenticate, Principal, StillValid } from '../../access/principal.ts'
import type { Context, RequestState } from '../../transport/http/context.ts'
import { authenticated } from '../../transport/http/credentials.ts'
import { answer, problem, tooMany } from '../../transport/http/problem.ts'
import { count } from '../../transport/http/query.ts'
import type { Limits } from '../../transport/limits.ts'
import { type ChannelQuery, queryOfMany, queryOfOne } from './channel-query.ts'
import { beginLifetime } from './lifetime.ts'
import { type MessageStreamDeps, type MessageStreamOptions, streamMessages } from './message-stream.ts'
import { waitForMessage } from './wait-for-message.ts'

export interface MessageRoutesDeps extends MessageStreamDeps {
  authenticate: Authenticate
  stillValid: StillValid
  limits: Limits
}

interface Reading {
  wait: number
  /** Undefined if the request does not specify it. */
  limit: number | undefined
}

/** A session that ended while its request was held. */
type Refused = { ok: false } & EndNotice
/** Pages of all channels, or the reason why one of them may not be read. */
type Pages = { ok: true; value: Page[] } | { ok: false; code: Code; channel?: string; reason?: string }

const isNews = ({ recovered, messages }: Page): boolean => !recovered || messages.length > 0

/** Messages over HTTP: pages, long polls and event streams. Positions are the same as on the other doors. */
export const messageRoutes = (deps: MessageRoutesDeps, options: MessageStreamOptions): Router<RequestState> => {
  const { live, revocations, authenticate, stillValid, limits, holds, metrics } = deps
  const router = new Router<RequestState>({ prefix: '/v1', sensitive: true })

  const reading = (ctx: Context): Result<Reading> => {
    const wait = count(ctx.query.wait, 0, LONGEST_HOLD_SECONDS)
    const limit = ctx.query.limit === undefined ? ok(undefined) : count(ctx.query.limit, 0, PAGE_MESSAGES)
    if (!wait.ok) return wait
    return limit.ok ? ok({ wait: wait.value, limit: limit.value }) : limit
  }

  const readAll = async (
    who: Principal,
    asked: readonly ChannelQuery[],
    limit: number | undefined,
    history: number,
  ): Promise<Pages> => {
    const mostBytes = Math.floor(PAGE_BYTES / asked.length)
    const reads = asked.map(({ channel, since }) =>
      since
        ? live.read(who, channel, { since, mostBytes, ...(limit ? { limit } : {}) })
        : live.read(who, channel, { mostBytes, history: Math.min(limit ?? history, MOST_HISTORY) }),
    )
    const value: Page[] = []
    for (const [i, read] of (await Promise.all(reads)).entries()) {
      if (!read.ok) return { ...read, channel: asked[i]?.channel ?? '' }
      value.push(read.value)
    }
    return { ok: true, value }
  }

  /**
   * Reads the log. If there is nothing new, waits for a message and
   * reads again. So every answer comes from the log.
   */
  const poll = async (
    ctx: Context,
    who: Principal,
    asked: readonly ChannelQuery[],
    { wait, limit }: Reading,
    history: number,
  ): Promise<Pages> => {
    const pages = await readAll(who, asked, limit, history)
    // A reader without a position gets its answer at once. If it were held, messages that arrive meanwhile
    // would be lost.
    if (!pages.ok || wait === 0 || ctx.method !== 'GET' || pages.value.some(isNews)) return pages

    const ms = Math.max(0, Math.min(wait * 1000, who.expiresAt - Date.now()))
    const held = await holds.hold(ctx, async (signal): Promise<Result<Set<string>> | Refused> => {
      const lifetime = await beginLifetime(revocations, who, signal)
      if (!lifetime.ok) return lifetime
      try {
        const heard = await waitForMessage(live, who, asked, { ms, signal: lifetime.value.over })
        const { notice } = lifetime.value
        return notice && notice.code !== 'TOKEN_EXPIRED' ? { ok: false, ...notice } : ok(heard)
      } finally {
        lifetime.value.close()
      }
    })
    metrics.longPollsDone.inc({ result: !held.ok ? held.code : held.value.size > 0 ? 'messages' : 'nothing' })
    if (!held.ok) return held
    const heard = held.value
    if (heard.size === 0) return pages
    // The session may have ended while the request was held.
    const valid = await stillValid(who)
    if (!valid.ok) return valid
    const spoken = asked.filter(({ channel }) => heard.has(channel))
    const again = await readAll(who, spoken, limit, history)
    if (!again.ok) return again
    const value = pages.value.map((page) => again.value.find(({ channel }) => channel === page.channel) ?? page)
    return { ok: true, value }
  }

  /** A request for several channels costs as many points as channels. The middleware has spent the first. */
  const slowness = async (ctx: Context, who: Principal, channels: number) => {
    if (channels < 2) return undefined
    return who.kind === 'backend' ? limits.keys(who.name, channels - 1) : limits.requests(ctx.ip, channels - 1)
  }

  const wantsStream = (ctx: Context): boolean =>
    ctx.method === 'GET' && ctx.accepts('json', 'text/event-stream') === 'text/event-stream'

  /**
   * Makes a route from its query parser, the history for a new reader that
   * gives no limit, and the writer of its answer.
   */
  const serve = (readAsked: typeof queryOfOne, history: number, write: (pages: Page[]) => object | undefined) =>
    authenticated(authenticate, async (ctx, who) => {
      const asked = readAsked(ctx, who)
      if (!asked.ok) return problem(ctx, asked.code, asked.detail)
      const how = reading(ctx)
      if (!how.ok) return problem(ctx, how.code, 'wait and limit are whole numbers')
      const slow = await slowness(ctx, who, asked.value.length)
      if (slow) return tooMany(ctx, slow.retryAfterSeconds)

      if (wantsStream(ctx)) {
        // Check access before the stream begins: after that no status can be sent.
        const allowed = await readAll(who, asked.value, 1, 0)
        if (!allowed.ok) return problem(ctx, allowed.code, allowed.channel)
        const from = { asked: asked.value, history: Math.min(how.value.limit ?? 0, MOST_HISTORY) }
        return streamMessages(ctx, deps, options, who, from)
      }
      const pages = await poll(ctx, who, asked.value, how.value, history)
      if (!pages.ok) return problem(ctx, pages.code, pages.channel, pages.reason)
      answer(ctx, ok(write(pages.value) ?? {}))
    })

  router.get(
    '/channels/:channel/messages',
    serve(queryOfOne, MOST_HISTORY, ([page]) => page),
  )
  router.get(
    '/messages',
    serve(queryOfMany, 0, (channels) => ({ channels })),
  )

  return router
}
