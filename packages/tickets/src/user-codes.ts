import { fail, ok, parseTicket, type Result } from '@saoma/protocol'
import { orUnavailable, type RedisClients } from '@saoma/redis'
import * as v from 'valibot'
import { Request, scripts } from './scripts.ts'
import type { NewTicket } from './ticket.ts'

type Redis = Pick<RedisClients, 'data' | 'keys'>

/** Accounts that a ticket remembers to have typed its user code. */
const MOST_TYPED = 8

/** People type user codes in any case, with or without the dash. */
export const normalise = (userCode: string): string => userCode.toUpperCase().replace(/[^A-Z0-9]/g, '')

/** The ticket of a user code that a person typed. With the person's account, its scan is told so. */
export const findByUserCode = async (
  { data, keys }: Redis,
  userCode: string,
  sub?: string,
): Promise<Result<string>> => {
  const ticket = await orUnavailable(data.get(keys.userCode(normalise(userCode))))
  if (ticket === null) return fail('TICKET_NOT_FOUND')
  if (sub !== undefined) await scripts.typed(data, [keys.ticket(ticket)], [sub, MOST_TYPED])
  return ok(ticket)
}

/** What a phone would be told of a ticket. */
export const requestOf = async ({ data, keys }: Redis, ticket: string): Promise<Result<NewTicket['request']>> => {
  const request = parseTicket(ticket).ok ? await orUnavailable(data.hget(keys.ticket(ticket), 'request')) : null
  return request === null ? fail('TICKET_NOT_FOUND') : ok(v.parse(Request, request))
}
