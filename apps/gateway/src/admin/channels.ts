import Router from '@koa/router'
import type { Audit } from '@saoma/audit'
import { type Channels, ListPlace } from '@saoma/channels'
import { PAGE_MESSAGES, parseChannel } from '@saoma/protocol'
import * as v from 'valibot'
import type { Authenticate, Backend } from '../access/principal.ts'
import type { Scope } from '../access/scopes.ts'
import type { Context, RequestState } from '../transport/http/context.ts'
import { scoped } from '../transport/http/credentials.ts'
import { problem } from '../transport/http/problem.ts'
import { Ordinal } from '../transport/http/query.ts'
import { noteAct, noteRead } from './acted.ts'
import { Cursor, decodeCursor, encodeCursor, ListLimit, NO_CURSOR, readQuery } from './query.ts'

const offset = v.pipe(v.string(), v.regex(/^\d{1,15}$/, 'is an offset'), v.transform(Number))

/** The parameters of the routes below. */
export const ListParameters = v.strictObject({
  prefix: v.optional(v.pipe(v.string(), v.regex(/^[A-Za-z0-9_.:@~-]{1,133}$/, 'is the beginning of a name'))),
  limit: ListLimit,
  cursor: v.optional(Cursor),
})
export const HistoryParameters = v.strictObject({
  after: v.optional(offset),
  limit: ListLimit,
  cursor: v.optional(Cursor),
})
export const PeopleParameters = v.strictObject({ limit: ListLimit })
export const TrimParameters = v.strictObject({
  before: v.pipe(
    v.string(),
    v.check((text) => v.is(Ordinal, text), 'is an offset'),
    v.transform(Number),
  ),
})
const NoParameters = v.strictObject({})

const HistoryPlace = v.strictObject({
  epoch: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,32}$/)),
  offset: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
})

export interface AdminChannelsDeps {
  channels: Pick<Channels, 'list' | 'summary' | 'memory' | 'browse' | 'presence' | 'trim'>
  audit: Pick<Audit, 'note'>
  authenticate: Authenticate
}

/** The routes with which an administrator looks into channels. A key with the scope sees all of them. */
export const channelRoutes = ({ channels, audit, authenticate }: AdminChannelsDeps): Router<RequestState> => {
  const router = new Router<RequestState>({ prefix: '/v1/admin', sensitive: true })

  const say = (ctx: Context, body: object): void => {
    ctx.set('Cache-Control', 'no-store')
    ctx.body = body
  }

  /** Makes a route for the channel in the address. */
  const ofChannel = <const E extends v.ObjectEntries>(
    scope: Scope,
    Parameters: v.StrictObjectSchema<E, undefined>,
    act: (
      ctx: Context,
      channel: string,
      query: v.InferOutput<v.StrictObjectSchema<E, undefined>>,
      who: Backend,
    ) => Promise<void>,
  ) =>
    scoped(authenticate, scope, async (ctx, who) => {
      const channel = parseChannel(ctx.params.channel)
      if (!channel.ok) return problem(ctx, 'INVALID', 'this is no name of a channel')
      const read = readQuery(Parameters, ctx.query)
      if (!read.ok) return problem(ctx, 'INVALID', read.why)
      await act(ctx, channel.value, read.value, who)
    })

  router.get(
    '/channels',
    scoped(authenticate, 'channels:read', async (ctx, who) => {
      const read = readQuery(ListParameters, ctx.query)
      if (!read.ok) return problem(ctx, 'INVALID', read.why)
      const { prefix, limit, cursor } = read.value
      const place = cursor === undefined ? undefined : decodeCursor(cursor, ListPlace)
      if (cursor !== undefined && !place) return problem(ctx, 'INVALID', NO_CURSOR)
      noteRead(audit, ctx, who, 'channels.list')
      const page = await channels.list({
        limit: limit,
        ...(prefix === undefined ? {} : { begin: prefix }),
        ...(place ? { place } : {}),
      })
      say(ctx, { channels: page.channels, ...(page.next ? { cursor: encodeCursor(page.next) } : {}) })
    }),
  )

  router.get(
    '/channels/:channel',
    ofChannel('channels:read', NoParameters, async (ctx, channel) => {
      const [summary, memory] = await Promise.all([channels.summary(channel), channels.memory(channel)])
      say(ctx, { ...summary, ...(memory === undefined ? {} : { memory }) })
    }),
  )

  router.get(
    '/channels/:channel/messages',
    ofChannel('channels:read', HistoryParameters, async (ctx, channel, query, who) => {
      const place = query.cursor === undefined ? undefined : decodeCursor(query.cursor, HistoryPlace)
      if (query.cursor !== undefined && !place) return problem(ctx, 'INVALID', NO_CURSOR)
      if (place && query.after !== undefined) return problem(ctx, 'INVALID', 'after goes only without cursor')
      noteRead(audit, ctx, who, 'channel.read', { channel })
      const page = await channels.browse(channel, {
        limit: Math.min(query.limit, PAGE_MESSAGES),
        ...(place ? { since: place } : {}),
        ...(query.after === undefined ? {} : { after: query.after }),
      })
      const messages = page?.messages ?? []
      const next = page?.more ? { cursor: encodeCursor({ epoch: page.epoch, offset: page.offset }) } : {}
      say(ctx, { channel, messages, ...next })
    }),
  )

  router.get(
    '/channels/:channel/people',
    ofChannel('channels:read', PeopleParameters, async (ctx, channel, { limit }, who) => {
      noteRead(audit, ctx, who, 'channel.people', { channel })
      const { connections, count, users } = await channels.presence(channel)
      // Redis draws them at random if there are more than it names.
      say(ctx, { channel, connections, count, people: users.slice(0, limit).sort() })
    }),
  )

  router.delete(
    '/channels/:channel/messages',
    ofChannel('channels:write', TrimParameters, async (ctx, channel, { before }, who) => {
      let trimmed: number | undefined
      try {
        trimmed = await channels.trim(channel, before - 1)
      } finally {
        // One that failed may have happened.
        if (trimmed !== 0) noteAct(audit, ctx, who, 'channel.trim', { channel })
      }
      say(ctx, { trimmed, ...(await channels.summary(channel)) })
    }),
  )

  return router
}
