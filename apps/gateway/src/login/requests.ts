import Router from '@koa/router'
import type { Audit } from '@saoma/audit'
import { type Identity, PREFIX_OF_BROWSER, WEB_CLIENT } from '@saoma/identity'
import {
  type DecisionAnswer,
  fail,
  ok,
  parseTicket,
  type Result,
  type WaitingRequest,
  type WaitingRequests,
} from '@saoma/protocol'
import type { Inbox, SentRequest, Tickets } from '@saoma/tickets'
import type { Context, RequestState } from '../transport/http/context.ts'
import { answer, problem, tooMany } from '../transport/http/problem.ts'
import type { Limits } from '../transport/limits.ts'
import { REPEATED_MS, whereFrom } from './audited.ts'
import { phoneOf } from './phone.ts'

export interface RequestRoutesDeps {
  tickets: Pick<Tickets, 'peek' | 'requestOf' | 'reject'>
  inbox: Pick<Inbox, 'list' | 'block'>
  identity: Identity
  limits: Limits
  audit: Pick<Audit, 'note'>
  /** A person has answered. */
  settled: (sub: string, ticket: string, how: 'rejected') => Promise<void>
}

/** The browser that asked, if it was one that is known. */
const browserOf = (client: string): string | undefined =>
  client.startsWith(PREFIX_OF_BROWSER) ? client.slice(PREFIX_OF_BROWSER.length) : undefined

/** A browser that is known asks by our own page. */
const nameOf = (client: string): string => (browserOf(client) === undefined ? client : WEB_CLIENT)

/** The routes of the requests to log in that applications have sent to a person's phone. */
export const requestRoutes = (deps: RequestRoutesDeps): Router<RequestState> => {
  const { tickets, inbox, identity, limits, audit, settled } = deps
  const router = new Router<RequestState>({ prefix: '/v1', sensitive: true })
  const phone = phoneOf(identity)

  /** Makes a route for phones. */
  const own = (act: (ctx: Context, sub: string) => Promise<void>) => async (ctx: Context) => {
    const sub = await phone(ctx)
    if (!sub.ok) return problem(ctx, sub.code)
    const slow = await limits.decisions(sub.value)
    return slow ? tooMany(ctx, slow.retryAfterSeconds) : act(ctx, sub.value)
  }

  /** A request as the phone lists it; none if it does not wait any more. */
  const view = async (sub: string, { ticket, client, askedAt }: SentRequest): Promise<WaitingRequest[]> => {
    const [peeked, request] = await Promise.all([tickets.peek(ticket), tickets.requestOf(ticket)])
    if (!peeked.ok || !request.ok) return []
    const { status, expiresIn } = peeked.value.state
    // What a browser shows may be scanned by somebody else.
    const isOpen = status === 'pending' || (status === 'scanned' && peeked.value.sub === sub)
    if (!isOpen) return []
    const { app, pushed: { message } = {} } = request.value
    const requestedAt = new Date(askedAt).toISOString()
    return [
      { ticket, client: nameOf(client), app, ...(message === undefined ? {} : { message }), requestedAt, expiresIn },
    ]
  }

  /** Without those of browsers that the person has forgotten meanwhile. */
  const ofKnown = async (sub: string, sent: readonly SentRequest[]): Promise<readonly SentRequest[]> => {
    if (sent.every(({ client }) => browserOf(client) === undefined)) return sent
    const known = new Set((await identity.browsers.list(sub)).map(({ id }) => id))
    return sent.filter(({ client }) => known.has(browserOf(client) ?? '') || browserOf(client) === undefined)
  }

  router.get(
    '/me/requests',
    own(async (ctx, sub) => {
      const sent = await ofKnown(sub, await inbox.list(sub))
      const requests = (await Promise.all(sent.map((each) => view(sub, each)))).flat()
      answer<WaitingRequests>(ctx, ok({ requests }))
    }),
  )

  const report = async (ctx: Context, sub: string, ticket: string): Promise<Result<DecisionAnswer>> => {
    const sent = (await inbox.list(sub)).find((each) => each.ticket === ticket)
    if (!sent) return fail('TICKET_NOT_FOUND')
    const { client } = sent
    // First: whoever says no to the application must not be asked again, whatever became of this request.
    await inbox.block(sub, client)
    const browser = browserOf(client)
    if (browser !== undefined) await identity.browsers.forget(sub, browser)
    const rejected = await tickets.reject(ticket, sub)
    const told = { person: sub, ticket, client: nameOf(client), by: 'phone', ...whereFrom(ctx) } as const
    audit.note({ kind: 'login.reported', ...told }, { once: { name: `reported.${ticket}`, ms: REPEATED_MS } })
    if (!rejected.ok) return rejected
    await settled(sub, ticket, 'rejected')
    return ok({ state: rejected.value })
  }

  router.post(
    '/me/requests/:ticket/report',
    own(async (ctx, sub) => {
      const ticket = parseTicket(ctx.params.ticket)
      answer(ctx, ticket.ok ? await report(ctx, sub, ticket.value) : fail('TICKET_NOT_FOUND'))
    }),
  )

  return router
}
