import Router from '@koa/router'
import { type Audit, cursorPattern, type Entry } from '@saoma/audit'
import { isTerminal, type TicketStatus } from '@saoma/protocol'
import type { Tickets } from '@saoma/tickets'
import * as v from 'valibot'
import type { Authenticate, Backend } from '../access/principal.ts'
import type { Context, RequestState } from '../transport/http/context.ts'
import { scoped } from '../transport/http/credentials.ts'
import { problem } from '../transport/http/problem.ts'
import { noteRead } from './acted.ts'
import { CURSOR_RULE, ListLimit, Moment, Network, readQuery, Word } from './query.ts'

/** How much the clocks of this node and of Redis may differ. It only makes a page look at more tickets. */
const CLOCKS_MS = 60_000

const filters = {
  person: v.optional(Word),
  ticket: v.optional(Word),
  client: v.optional(Word),
  network: v.optional(Network),
  limit: ListLimit,
  cursor: v.optional(v.pipe(v.string(), v.regex(cursorPattern, CURSOR_RULE))),
}

/** The parameters of `GET /v1/admin/logins` for what was, and for what is. */
export const RecentParameters = v.strictObject({
  state: v.optional(v.picklist(['recent', 'live'], 'is recent or live')),
  ...filters,
  from: v.optional(Moment),
  to: v.optional(Moment),
})
const LiveParameters = v.strictObject({ state: v.literal('live'), ...filters })

/** A login in progress. It has neither the device code nor the user code. */
export interface LiveLogin {
  ticket: string
  state: Exclude<TicketStatus, 'rejected' | 'redeemed' | 'expired'>
  /** When the browser asked for the code: ISO 8601. */
  since: string
  /** Seconds until the present state expires. */
  expiresIn: number
  client?: string
  /** Who scanned it: a `sub`. */
  person?: string
  /** Where the browser is. */
  ip?: string
  browser?: string
  os?: string
}

export interface AdminLoginsDeps {
  audit: Pick<Audit, 'read' | 'note'>
  tickets: Pick<Tickets, 'peek' | 'times'>
  authenticate: Authenticate
}

/** The route with which an administrator sees who logs in, and who did. */
export const loginRoutes = ({ audit, tickets, authenticate }: AdminLoginsDeps): Router<RequestState> => {
  const router = new Router<RequestState>({ prefix: '/v1/admin', sensitive: true })
  const { scanMs, confirmMs, redeemMs } = tickets.times

  const answerPage = (ctx: Context, logins: object[], { cursor, more }: { cursor: string; more: boolean }) => {
    ctx.set('Cache-Control', 'no-store')
    ctx.body = { logins, ...(more ? { cursor } : {}) }
  }

  const recent = async (ctx: Context, who: Backend): Promise<void> => {
    const read = readQuery(RecentParameters, ctx.query)
    if (!read.ok) return problem(ctx, 'INVALID', read.why)
    const { state: _, ...query } = read.value
    noteRead(audit, ctx, who, 'logins.read')
    const page = await audit.read({ ...query, kinds: ['login'] } as Parameters<typeof audit.read>[0])
    if (!page.ok) return problem(ctx, page.code)
    answerPage(ctx, page.value.entries, page.value)
  }

  /** The login that an entry began, if it is still in progress. */
  const liveOf = async ({ ticket = '', time, client, ip, browser, os }: Entry): Promise<LiveLogin | undefined> => {
    const found = await tickets.peek(ticket)
    if (!found.ok || isTerminal(found.value.state.status)) return undefined
    const { state, sub } = found.value
    return {
      ticket,
      state: state.status as LiveLogin['state'],
      since: time,
      expiresIn: state.expiresIn,
      ...(client === undefined ? {} : { client }),
      ...(sub === undefined ? {} : { person: sub }),
      ...(ip === undefined ? {} : { ip }),
      ...(browser === undefined ? {} : { browser }),
      ...(os === undefined ? {} : { os }),
    }
  }

  /**
   * There is no list of tickets: each login would have to write to it. But the audit has an entry of each
   * that was asked for, and a ticket lives for minutes. So those of the last minutes are looked up.
   */
  const live = async (ctx: Context, who: Backend): Promise<void> => {
    const read = readQuery(LiveParameters, ctx.query)
    if (!read.ok) return problem(ctx, 'INVALID', read.why)
    const { state: _, person, ...query } = read.value
    noteRead(audit, ctx, who, 'logins.live')
    const from = Date.now() - (scanMs + confirmMs + redeemMs) - CLOCKS_MS
    const page = await audit.read({ ...query, from, kinds: ['login.asked'] } as Parameters<typeof audit.read>[0])
    if (!page.ok) return problem(ctx, page.code)
    const found = await Promise.all(page.value.entries.map(liveOf))
    const logins = found.filter((one) => one !== undefined && (person === undefined || one.person === person))
    answerPage(ctx, logins as LiveLogin[], page.value)
  }

  router.get(
    '/logins',
    scoped(authenticate, 'audit:read', (ctx, who) => (ctx.query.state === 'live' ? live(ctx, who) : recent(ctx, who))),
  )

  return router
}
