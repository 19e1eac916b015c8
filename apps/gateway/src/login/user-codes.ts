import Router from '@koa/router'
import type { Identity } from '@saoma/identity'
import { fail, ok, type Result, type TypedCodeAnswer, type UserCodeAnswer } from '@saoma/protocol'
import type { Tickets } from '@saoma/tickets'
import * as v from 'valibot'
import { readJson } from '../transport/http/body.ts'
import type { RequestState } from '../transport/http/context.ts'
import { answer, problem, tooMany } from '../transport/http/problem.ts'
import type { Limits } from '../transport/limits.ts'
import { phoneOf } from './phone.ts'

export interface UserCodeRoutesDeps {
  tickets: Pick<Tickets, 'findByUserCode' | 'requestOf'>
  identity: Identity
  limits: Limits
}

/** Longer than any code that a person types. */
const LONGEST = 32

export const TypedCode = v.object({ userCode: v.pipe(v.string(), v.maxLength(LONGEST)) })

/** The routes of typed user codes. Guesses are limited: RFC 8628, section 5.1. */
export const userCodeRoutes = ({ tickets, identity, limits }: UserCodeRoutesDeps): Router<RequestState> => {
  const router = new Router<RequestState>({ prefix: '/v1', sensitive: true })
  const phone = phoneOf(identity)

  router.get('/user-codes/:userCode', async (ctx) => {
    const sub = await phone(ctx)
    if (!sub.ok) return problem(ctx, sub.code)
    const slow = await limits.userCodes(sub.value)
    if (slow) return tooMany(ctx, slow.retryAfterSeconds)
    // Its scan will be told that it was typed.
    const found = await tickets.findByUserCode((ctx.params.userCode ?? '').slice(0, LONGEST), sub.value)
    answer<UserCodeAnswer>(ctx, found.ok ? ok({ ticket: found.value }) : found)
  })

  /**
   * The ticket of a device. A code of a page is not found: its picture stands beside it. Else a stranger who
   * mails a code of an own page would have the person scan it here, and the phone would have no warning.
   */
  const deviceOf = async (userCode: string): Promise<Result<TypedCodeAnswer>> => {
    const ticket = await tickets.findByUserCode(userCode)
    const request = ticket.ok ? await tickets.requestOf(ticket.value) : ticket
    if (!ticket.ok || !request.ok || !request.value.application) return fail('TICKET_NOT_FOUND')
    return ok({ ticket: ticket.value, app: request.value.app })
  }

  router.post('/user-codes', async (ctx) => {
    const body = await readJson(ctx)
    if (!body) return
    const typed = v.safeParse(TypedCode, body.json)
    if (!typed.success) return problem(ctx, 'INVALID', `userCode is the typed code, ${LONGEST} characters at most`)
    const slow = await limits.typedCodes(ctx.ip)
    if (slow) return tooMany(ctx, slow.retryAfterSeconds)
    answer(ctx, await deviceOf(typed.output.userCode))
  })

  return router
}
