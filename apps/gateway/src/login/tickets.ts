import Router from '@koa/router'
import type { Audit, Kind } from '@saoma/audit'
import type { Identity } from '@saoma/identity'
import {
  type DecisionAnswer,
  fail,
  LONGEST_HOLD_SECONDS,
  ok,
  parseConfirmation,
  parseTicket,
  type Result,
  type ScanAnswer,
} from '@saoma/protocol'
import type { Tickets } from '@saoma/tickets'
import * as v from 'valibot'
import { networkOf, proximityOf } from '../access/networks.ts'
import type { Metrics } from '../operate/metrics.ts'
import { readBody } from '../transport/http/body.ts'
import type { Context, RequestState } from '../transport/http/context.ts'
import { bearer } from '../transport/http/credentials.ts'
import type { HeldRequests } from '../transport/http/held-requests.ts'
import { answer, problem, tooMany } from '../transport/http/problem.ts'
import { count } from '../transport/http/query.ts'
import type { Limits } from '../transport/limits.ts'
import { REPEATED_MS, whereFrom } from './audited.ts'
import type { ConfirmLatency } from './confirm-latency.ts'
import { deviceCodeFor } from './device-code.ts'
import { phoneOf } from './phone.ts'
import { ticketCookie } from './ticket-cookie.ts'
import { streamTicket } from './ticket-stream.ts'

export interface TicketRoutesDeps {
  tickets: Tickets
  identity: Identity
  limits: Limits
  holds: HeldRequests
  metrics: Metrics
  pushes: ConfirmLatency
  audit: Pick<Audit, 'note' | 'refusals'>
  /** A person has answered. */
  settled: (sub: string, ticket: string, how: 'confirmed' | 'rejected') => Promise<void>
}

/** What is noted of a transition that a phone requests. */
const NOTED = {
  scanned: 'login.scanned',
  confirmed: 'login.confirmed',
  rejected: 'login.declined',
} as const satisfies Record<string, Kind>

/** The phone has read no picture: the request was in its list. */
export const Listed = v.literal('1')

const CONFIRMATION_RULE = 'scopes are those that the phone has shown, and number is two digits, as text'

export const ticketRoutes = ({
  tickets,
  identity,
  limits,
  holds,
  metrics,
  pushes,
  audit,
  settled,
}: TicketRoutesDeps): Router<RequestState> => {
  const router = new Router<RequestState>({ prefix: '/v1', sensitive: true })

  const phone = phoneOf(identity)

  /** Makes a route for a transition that a phone requests. */
  const decide =
    <T extends object>(
      name: keyof typeof NOTED,
      act: (ticket: string, sub: string, ctx: Context) => Promise<Result<T>>,
    ) =>
    async (ctx: Context): Promise<void> => {
      const sub = await phone(ctx)
      if (!sub.ok) return problem(ctx, sub.code)
      const ticket = parseTicket(ctx.params.ticket)
      if (!ticket.ok) return problem(ctx, 'TICKET_NOT_FOUND')
      const slow = (await limits.decisions(sub.value)) ?? (await limits.ticket(ticket.value))
      if (slow) return tooMany(ctx, slow.retryAfterSeconds)
      const result = await act(ticket.value, sub.value, ctx)
      const told = { person: sub.value, ticket: ticket.value, ...whereFrom(ctx) }
      if (result.ok) {
        metrics.transitions.inc({ state: name })
        // Nobody waits for it: most tickets are no requests of applications.
        if (name !== 'scanned') void settled(sub.value, ticket.value, name)
        const once = { name: `${name}.${ticket.value}`, ms: REPEATED_MS }
        audit.note({ kind: NOTED[name], ...told }, { once })
      } else if (result.code !== 'REVOKED' && result.code !== 'INVALID') {
        // Of a deleted person nothing is noted any more.
        audit.refusals.of({ kind: 'login.refused', reason: result.code, ...told })
      }
      answer(ctx, result, result.ok ? undefined : result.detail)
    }

  const decision = (result: Awaited<ReturnType<Tickets['confirm']>>): Result<DecisionAnswer> =>
    result.ok ? ok({ state: result.value }) : result

  router.post(
    '/tickets/:ticket/scan',
    decide<ScanAnswer>('scanned', async (ticket, sub, ctx) => {
      const { listed } = ctx.query
      if (listed !== undefined && !v.is(Listed, listed)) return { ...fail('INVALID'), detail: 'listed is 1, or absent' }
      // Read first: an end of all sessions that comes later refuses this login (D102).
      const lastEnd = await identity.mayScan(sub)
      if (!lastEnd.ok) return lastEnd
      const brought = { network: proximityOf(ctx.ip), listed: listed !== undefined }
      const scanned = await tickets.scan(ticket, sub, lastEnd.value, brought)
      if (!scanned.ok) return scanned
      const { verification, ...asked } = scanned.value
      // The address of an application's server says nothing about the person.
      const sameNetwork = !asked.request.pushed && networkOf(ctx.ip) === networkOf(asked.request.ip)
      return ok({ ...asked, sameNetwork, verification })
    }),
  )
  router.post(
    '/tickets/:ticket/confirm',
    decide('confirmed', async (ticket, sub, ctx) => {
      const body = await readBody(ctx, {})
      if (!('json' in body)) return { ...fail(body.code), detail: body.detail }
      const given = parseConfirmation(body.json)
      if (!given.ok) return { ...given, detail: CONFIRMATION_RULE }
      const allowed = await identity.mayScan(sub)
      if (!allowed.ok) return allowed
      const { scopes, number } = given.value
      // There are ninety numbers: somebody who goes from code to code must not guess.
      const slow = number === undefined ? undefined : await limits.verificationDigits(sub)
      if (slow) return fail('RATE_LIMITED', slow.retryAfterSeconds)
      pushes.begin(ticket)
      const brought = {
        network: proximityOf(ctx.ip),
        ...(number === undefined ? {} : { number }),
        ...(scopes === undefined ? {} : { terms: scopes.join(' ') }),
      }
      const confirmed = await tickets.confirm(ticket, sub, brought)
      const isWrong = !confirmed.ok && confirmed.code === 'VERIFICATION_WRONG'
      if (number !== undefined && !isWrong) await limits.verificationDigits.giveBack(sub)
      return decision(confirmed)
    }),
  )
  router.post(
    '/tickets/:ticket/reject',
    decide('rejected', async (ticket, sub) => decision(await tickets.reject(ticket, sub))),
  )

  router.get('/tickets/:ticket', async (ctx) => {
    const code = deviceCodeFor(bearer(ctx), ctx.params.ticket)
    if (!code.ok) return problem(ctx, code.code)
    const after = count(ctx.query.after ?? (ctx.get('Last-Event-ID') || undefined), 0, Number.MAX_SAFE_INTEGER)
    const wait = count(ctx.query.wait, LONGEST_HOLD_SECONDS, LONGEST_HOLD_SECONDS)
    if (!after.ok || !wait.ok) return problem(ctx, 'INVALID', 'after and wait are whole numbers')
    if (ctx.accepts('json', 'text/event-stream') === 'text/event-stream')
      return streamTicket(ctx, tickets, holds, code.value, after.value)

    const result = await holds.hold(ctx, (signal) =>
      tickets.wait(code.value, after.value, { timeoutMs: wait.value * 1000, signal }),
    )
    metrics.longPollsDone.inc({ result: result.ok ? result.value.status : result.code })
    answer(ctx, result)
  })

  // A browser that used WeChat's own formats has its device code in a cookie that its scripts cannot read.
  // This route returns the code.
  router.post('/tickets/:ticket/resume', async (ctx) => {
    const code = deviceCodeFor(ticketCookie.read(ctx, ctx.params.ticket ?? ''), ctx.params.ticket)
    const state = code.ok ? await tickets.read(code.value) : code
    if (!code.ok || !state.ok) return problem(ctx, state.ok ? 'UNAUTHORIZED' : state.code)
    answer(ctx, ok({ deviceCode: code.value, state: state.value }))
  })

  return router
}
