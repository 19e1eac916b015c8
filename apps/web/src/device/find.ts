import { type Answer, request } from '@saoma/client'
import { fail, ok, parseTicket, type Result, type TypedCodeAnswer } from '@saoma/protocol'

const TIMEOUT_MS = 10_000

const parse = (body: unknown): Result<TypedCodeAnswer> => {
  const { ticket, app } = Object(body) as { ticket?: unknown; app?: unknown }
  const found = parseTicket(ticket)
  return found.ok && typeof app === 'string' ? ok({ ticket: found.value, app }) : fail('INVALID')
}

/** The ticket of the device that shows this code. */
export const findDevice = (userCode: string): Promise<Answer<TypedCodeAnswer>> =>
  request({
    fetch,
    url: `${location.origin}/v1/user-codes`,
    init: {
      method: 'POST',
      headers: { accept: 'application/json', 'content-type': 'application/json' },
      body: JSON.stringify({ userCode }),
    },
    parse,
    timeoutMs: TIMEOUT_MS,
  })
