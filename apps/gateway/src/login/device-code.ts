import { fail, parseDeviceCode, type Result, ticketOf } from '@saoma/protocol'

/**
 * The device code of a request, if it belongs to the ticket in the address. A wrong code gets the same answer
 * as an unknown ticket.
 */
export const deviceCodeFor = (code: string | undefined, ticket: string | undefined): Result<string> => {
  if (!code) return fail('UNAUTHORIZED')
  const parsed = parseDeviceCode(code)
  return parsed.ok && ticketOf(parsed.value) === ticket ? parsed : fail('TICKET_NOT_FOUND')
}
