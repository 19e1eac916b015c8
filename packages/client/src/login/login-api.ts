import {
  DEVICE_CODE_GRANT,
  type DeviceAuthorization,
  fail,
  ok,
  parseDeviceAuthorization,
  parseDeviceCode,
  parseTicketLink,
  parseTicketState,
  parseTokenSet,
  type Result,
  type TicketLink,
  type TicketState,
  type TokenSet,
  ticketOf,
} from '@saoma/protocol'
import { type Binding, bindingOf } from '../core/proof.ts'
import { type Answer, form, request } from '../core/request.ts'
import type { Known } from './known.ts'

const REQUEST_TIMEOUT_MS = 10_000

export interface LoginApiOptions {
  origin: string
  clientId: string
  fetch: typeof fetch
  /** Whether the tokens are to be bound to a key, asked at each redemption. */
  binding: () => Binding | undefined
  /** Whether the page displays a number that the person types on the phone. */
  showsNumber: boolean
  /** Who has logged in here before, if the page remembers that. Asked when a browser asks or offers. */
  known: () => Promise<Known | undefined>
  /** Whether this browser is to be remembered, asked at each redemption. */
  remembers: () => boolean
}

export interface Resumed {
  deviceCode: string
  state: TicketState
}

export interface LoginApi {
  /** Requests a new code. @param asks  whether to ask the phone of the person who is known */
  authorize(scope: string, asks: boolean, signal: AbortSignal): Promise<Answer<DeviceAuthorization>>
  /**
   * Reads a ticket. The server holds the request up to `waitSeconds` until there is a version above `after`.
   */
  read(deviceCode: string, after: number, waitSeconds: number, signal: AbortSignal): Promise<Answer<TicketState>>
  /** Exchanges a confirmed ticket for tokens, once. */
  redeem(deviceCode: string, signal: AbortSignal): Promise<Answer<TokenSet>>
  /** KEY_UNAVAILABLE if the tokens have to be bound to a key, and this browser keeps none. */
  mayRedeem(): Promise<Answer<unknown>>
  /** Gets an address that opens the code in the app on the same phone; NOT_FOUND when there is none. */
  link(deviceCode: string, signal: AbortSignal): Promise<Answer<TicketLink>>
  /** Gets the device code that this browser holds in an HttpOnly cookie. Same origin only. */
  resume(ticket: string, signal: AbortSignal): Promise<Answer<Resumed>>
}

export const createLoginApi = ({
  origin,
  clientId,
  fetch,
  binding,
  showsNumber,
  known,
  remembers,
}: LoginApiOptions): LoginApi => ({
  authorize: async (scope, asks, signal) => {
    const url = `${origin}/oidc/device/auth`
    const asked = asks ? await (await known())?.asks(url) : {}
    const init = form({ client_id: clientId, scope, ...(showsNumber ? { verification: 'number' } : {}), ...asked })
    return request({ fetch, url, init, parse: parseDeviceAuthorization, timeoutMs: REQUEST_TIMEOUT_MS, signal })
  },
  read: (deviceCode, after, waitSeconds, signal) =>
    request({
      fetch,
      url: `${origin}/v1/tickets/${ticketOf(deviceCode)}?after=${after}&wait=${waitSeconds}`,
      init: { headers: { authorization: `Bearer ${deviceCode}`, accept: 'application/json' } },
      parse: parseTicketState,
      timeoutMs: waitSeconds * 1_000 + REQUEST_TIMEOUT_MS,
      signal,
    }),
  mayRedeem: () => bindingOf(binding(), `${origin}/oidc/token`, clientId),
  redeem: async (deviceCode, signal) => {
    const url = `${origin}/oidc/token`
    const bound = await bindingOf(binding(), url, clientId)
    if (!bound.ok) return bound
    const fields = { grant_type: DEVICE_CODE_GRANT, client_id: clientId, device_code: deviceCode }
    const browser = await known()
    const init = form({ ...fields, ...(await browser?.offers(url, remembers())) }, bound.value)
    const answer = await request({ fetch, url, init, parse: parseTokenSet, timeoutMs: REQUEST_TIMEOUT_MS, signal })
    if (answer.ok) browser?.learn(answer.value)
    return answer
  },
  link: (deviceCode, signal) =>
    request({
      fetch,
      url: `${origin}/v1/tickets/${ticketOf(deviceCode)}/link`,
      init: { method: 'POST', headers: { authorization: `Bearer ${deviceCode}`, accept: 'application/json' } },
      parse: parseTicketLink,
      timeoutMs: REQUEST_TIMEOUT_MS,
      signal,
    }),
  resume: (ticket, signal) =>
    request({
      fetch,
      url: `${origin}/v1/tickets/${encodeURIComponent(ticket)}/resume`,
      init: { method: 'POST', headers: { accept: 'application/json' } },
      parse: parseResumed,
      timeoutMs: REQUEST_TIMEOUT_MS,
      signal,
    }),
})

const parseResumed = (body: unknown): Result<Resumed> => {
  const { deviceCode, state } = (body ?? {}) as { deviceCode?: unknown; state?: unknown }
  const code = parseDeviceCode(deviceCode)
  const read = parseTicketState(state)
  return code.ok && read.ok ? ok({ deviceCode: code.value, state: read.value }) : fail('INVALID')
}
