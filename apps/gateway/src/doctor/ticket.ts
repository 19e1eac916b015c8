import { parseDeviceAuthorization } from '@saoma/protocol'
import { ask, jsonOf } from './ask.ts'
import type { Finding } from './finding.ts'

/** A ticket of the doctor. Nobody scans it, and it expires by itself. */
export interface Ticket {
  /** Address of its state. */
  url: string
  /** Its device code as a header. */
  headers: { Authorization: string }
  /** Milliseconds that an ordinary answer took: that to the request for the ticket. */
  answerMs: number
}

/** Makes a ticket as a page does. Never rejects. */
export const makeTicket = async (origin: string, signal: AbortSignal): Promise<Ticket | Finding> => {
  const code = 'ticket'
  const reply = await ask(`${origin}/oidc/device/auth`, {
    signal,
    headers: { 'Content-Type': 'application/x-www-form-urlencoded', Origin: origin },
    body: 'client_id=web&scope=openid',
  })
  if (!reply.ok)
    return {
      code,
      level: 'error',
      says: `No login can begin: POST /oidc/device/auth is not answered (${reply.why}).`,
      todo: 'Let the proxy pass POST on, and look at its log.',
    }
  const { status } = reply
  const made = parseDeviceAuthorization(jsonOf(reply))
  if (status === 200 && made.ok) {
    const { ticket, device_code: deviceCode } = made.value
    return {
      url: `${origin}/v1/tickets/${ticket}`,
      headers: { Authorization: `Bearer ${deviceCode}` },
      answerMs: reply.ms,
    }
  }
  if (status === 429)
    return {
      code,
      level: 'skipped',
      says: 'The event stream and the long poll were not tried: this network has asked for too many codes (429).',
      todo: 'Wait a minute and run the doctor again. If all visitors have one address, mend X-Forwarded-For first.',
    }
  const word = String(jsonOf(reply)?.code ?? jsonOf(reply)?.error ?? '')
  return {
    code,
    level: 'error',
    says: `No login can begin: POST /oidc/device/auth is answered with ${status}${word ? ` ${word}` : ''}.`,
    todo:
      word === 'ORIGIN_NOT_ALLOWED'
        ? 'Set SAOMA_ORIGIN of the nodes to the origin that people type.'
        : 'Ask /readyz of the nodes, and look at their log.',
  }
}
