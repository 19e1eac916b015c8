import { fail, ok, parseTicket, type Result } from '@saoma/protocol'
import { orUnavailable, type RedisClients } from '@saoma/redis'
import * as v from 'valibot'
import { Request } from './scripts.ts'
import type { NewTicket } from './ticket.ts'

type Redis = Pick<RedisClients, 'data' | 'keys'>

/** People type user codes in any case, with or without the dash. */
export const normalise = (userCode: string): string => userCode.toUpperCase().replace(/[^A-Z0-9]/g, '')

/** The ticket of a user code that a person typed. */
export const findByUserCode = async ({ data, keys }: Redis, userCode: string): Promise<Result<string>> => {
  const ticket = await orUnavailable(data.get(keys.userCode(normalise(userCode))))
  return ticket === null ? fail('TICKET_NOT_FOUND') : ok(ticket)
}

/** What a phone would be told of a ticket. */
export const requestOf = async ({ data, keys }: Redis, ticket: string): Promise<Result<NewTicket['request']>> => {
  const request = parseTicket(ticket).ok ? await orUnavailable(data.hget(keys.ticket(ticket), 'request')) : null
  return request === null ? fail('TICKET_NOT_FOUND') : ok(v.parse(Request, request))
}
