import { fail, parseDeviceCode, type Result, ticketOf } from '@saoma/protocol'

/**
 * The device code a request may act with, if it belongs to the ticket in the address. A wrong one learns no
 * more than "no such ticket".
 */
export const deviceCodeFor = (code: string | undefined, ticket: string | undefined): Result<string> => {
  if (!code) return fail('UNAUTHORIZED')
  const parsed = parseDeviceCode(code)
  return parsed.ok && ticketOf(parsed.value) === ticket ? parsed : fail('TICKET_NOT_FOUND')
}
