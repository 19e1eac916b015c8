import Router from '@koa/router'
import { type Code, fail, ok, type Result, type TicketLink, type TicketStatus } from '@saoma/protocol'
import type { Tickets } from '@saoma/tickets'
import type { LinkOptions, Wechat } from '@saoma/wechat'
import { createCoalescingCache, type Remembered } from '../../access/coalescing-cache.ts'
import type { Config } from '../../config/config.ts'
import type { Logger } from '../../operate/log.ts'
import type { RequestState } from '../../transport/http/context.ts'
import { bearer } from '../../transport/http/credentials.ts'
import { answer, problem, tooMany } from '../../transport/http/problem.ts'
import type { Limits } from '../../transport/limits.ts'
import { deviceCodeFor } from '../device-code.ts'
import { addressFor, type Opens } from '../ticket-address.ts'

/** Addresses that open the app on the same phone. */
export interface Link {
  /** Opens the confirmation of this ticket. */
  of(ticket: string): Promise<Result<TicketLink>>
  /** Opens the page where a user code of another screen is typed. It is the same for everybody. */
  toType(): Promise<Result<TicketLink>>
}

export interface LinkRoutesDeps {
  tickets: Tickets
  limits: Limits
  /** Absent if the app cannot be opened in this way. */
  link?: Link
}

/**
 * A link to the page that any browser opens. A company's app has a place for typed codes of its own, whose
 * address nobody knows here.
 * @param seconds  how long a ticket waits for its scan
 */
const plainLink = (origin: string, opens: Opens, seconds: number): Link => ({
  of: async (ticket) => ok({ url: addressFor(origin, opens, ticket), expiresIn: seconds }),
  toType: async () => (opens === 'app' ? fail('NOT_FOUND') : ok({ url: `${origin}/phone`, expiresIn: TYPED_SECONDS })),
})

/** Most links that one node caches. */
const KEPT = 10_000
/** How long a link for typing user codes is valid. A node hands it out for half of that time. */
const TYPED_SECONDS = 86_400
/** How long a refusal of WeChat is cached for that link, because anybody may request it. */
const NO_MS = 10_000

/**
 * A link into WeChat. Each node caches its links, so a reloaded page gets the same one. Another node makes a
 * new link to the same ticket, which costs one of WeChat's 500,000 a day. That is not worth a place in Redis.
 */
const wechatLink = ({ wechat, log }: { wechat: Wechat; log: Logger }, options: LinkOptions): Link => {
  const known = createCoalescingCache<{ url: string; until: number }>({ yes: KEPT, no: 1 })
  const typing = createCoalescingCache<{ url: string; until: number }>({ yes: 1, no: 1 })

  const make = async (
    ticket: string | undefined,
    { seconds, keptMs, noMs }: { seconds: number; keptMs: number; noMs: number },
  ): Promise<Remembered<{ url: string; until: number }>> => {
    const until = performance.now() + seconds * 1000
    const made = await wechat.link(ticket, { ...options, seconds })
    if (made.ok) return { value: ok({ url: made.url, until }), ms: keptMs }
    log[made.kind === 'unavailable' ? 'warn' : 'error'](
      { event: 'wechat', kind: made.kind, errcode: made.errcode },
      made.message,
    )
    return { value: fail('WECHAT_UNAVAILABLE'), ms: noMs }
  }

  const told = (link: Result<{ url: string; until: number }>): Result<TicketLink> => {
    if (!link.ok) return link
    const { url, until } = link.value
    return ok({ url, expiresIn: Math.max(0, Math.floor((until - performance.now()) / 1000)) })
  }

  const ofTicket = { seconds: options.seconds, keptMs: options.seconds * 1000, noMs: 0 }
  const toType = { seconds: TYPED_SECONDS, keptMs: TYPED_SECONDS * 500, noMs: NO_MS }
  return {
    of: async (ticket) => told(await known.get(ticket, () => make(ticket, ofTicket))),
    toType: async () => told(await typing.get('', () => make(undefined, toType))),
  }
}

/**
 * Margin above WeChat's minimum and the lifetime of a ticket, because two clocks are involved. The app itself
 * reports a ticket that has expired.
 */
const MARGIN_SECONDS = 60

/** Opens the kind of link that the settings choose. */
export const openLink = (
  { wechat, log }: { wechat?: Wechat; log: Logger },
  config: Pick<Config, 'demo' | 'origin' | 'times' | 'wechat' | 'codeOpens'>,
): Link | undefined => {
  const scanSeconds = Math.ceil(config.times.scanMs / 1000)
  const { codeOpens } = config
  if (codeOpens === 'app' || config.demo || !wechat || !config.wechat)
    return plainLink(config.origin, codeOpens, scanSeconds)
  const { link: kind } = config.wechat
  if (kind === 'none') return undefined
  return wechatLink({ wechat, log }, { kind, seconds: Math.max(scanSeconds, MARGIN_SECONDS) + MARGIN_SECONDS })
}

/** The refusal for each state of a ticket that no longer waits. */
const refusals = {
  scanned: 'TICKET_TAKEN',
  confirmed: 'TICKET_SETTLED',
  rejected: 'TICKET_SETTLED',
  redeemed: 'TICKET_EXPIRED',
  expired: 'TICKET_EXPIRED',
} as const satisfies Record<Exclude<TicketStatus, 'pending'>, Code>

/**
 * The routes that lead from a browser on a phone into the app on the same phone. Only the holder of the
 * device code gets the link of a ticket, so nobody can spend the quota on others' tickets.
 */
export const linkRoutes = ({ tickets, limits, link }: LinkRoutesDeps): Router<RequestState> => {
  const router = new Router<RequestState>({ prefix: '/v1', sensitive: true })

  router.post('/tickets/:ticket/link', async (ctx) => {
    const code = deviceCodeFor(bearer(ctx), ctx.params.ticket)
    const state = code.ok ? await tickets.read(code.value) : code
    if (!state.ok) return problem(ctx, state.code)
    const { ticket, status } = state.value
    if (!link) return problem(ctx, 'NOT_FOUND')
    if (status !== 'pending') return problem(ctx, refusals[status])
    const slow = await limits.links(ticket)
    if (slow) return tooMany(ctx, slow.retryAfterSeconds)
    answer<TicketLink>(ctx, await link.of(ticket))
  })

  // It contains no ticket, and a node makes two a day, so it needs no credential.
  router.get('/link', async (ctx) => {
    if (!link) return problem(ctx, 'NOT_FOUND')
    answer<TicketLink>(ctx, await link.toType())
  })

  return router
}
