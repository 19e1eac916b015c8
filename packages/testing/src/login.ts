import {
  DEVICE_CODE_GRANT,
  type DecisionAnswer,
  type DeviceAuthorization,
  type ScanAnswer,
  type TicketState,
  type TokenSet,
  ticketOf,
  WX_CODE_GRANT,
} from '@saoma/protocol'
import { type Answer, type RequestOptions, request } from './request.ts'

/** Requests a code like a browser. Use `attemptTicket` for an answer other than 200. */
export const createTicket = async (origin: string, options: RequestOptions = {}): Promise<DeviceAuthorization> =>
  expected(await attemptTicket(origin, options))

export const attemptTicket = (origin: string, options: RequestOptions = {}): Promise<Answer<DeviceAuthorization>> =>
  request(`${origin}/oidc/device/auth`, {
    form: { client_id: 'web', scope: 'openid profile offline_access' },
    ...options,
  })

/** Gets a phone's token, for the demo account `name`. */
export const phoneToken = async (origin: string, name: string): Promise<string> =>
  expected(await attemptPhoneToken(origin, `demo:${name}`)).access_token

/** Like `phoneToken`, with any `wx.login` code and any answer. */
export const attemptPhoneToken = (
  origin: string,
  code: string,
  options: RequestOptions = {},
): Promise<Answer<TokenSet>> =>
  request(`${origin}/oidc/token`, { form: { grant_type: WX_CODE_GRANT, client_id: 'phone', code }, ...options })

const act =
  <T>(verb: string) =>
  (origin: string, ticket: string, token: string, options: RequestOptions = {}): Promise<Answer<T>> =>
    request(`${origin}/v1/tickets/${ticket}/${verb}`, { method: 'POST', bearer: token, ...options })

/** A phone's actions on a ticket, with its token. */
export const scan = act<ScanAnswer>('scan')
export const confirm = act<DecisionAnswer>('confirm')
export const reject = act<DecisionAnswer>('reject')

/**
 * Follows a ticket without a socket, like a browser; `after` and `wait` (seconds) make the server hold the
 * request.
 */
export const poll = (
  origin: string,
  deviceCode: string,
  { after, wait, ...options }: RequestOptions & { after?: number; wait?: number } = {},
): Promise<Answer<TicketState>> => {
  const query = new URLSearchParams()
  if (after !== undefined) query.set('after', `${after}`)
  if (wait !== undefined) query.set('wait', `${wait}`)
  return request(`${origin}/v1/tickets/${ticketOf(deviceCode)}?${query}`, { bearer: deviceCode, ...options })
}

/** Redeems a confirmed ticket, like a browser. */
export const redeem = (origin: string, deviceCode: string, options: RequestOptions = {}): Promise<Answer<TokenSet>> =>
  request(`${origin}/oidc/token`, {
    form: { grant_type: DEVICE_CODE_GRANT, device_code: deviceCode, client_id: 'web' },
    ...options,
  })

/** Refreshes like a browser whose access token is about to expire. @param token  a refresh token */
export const refresh = (
  origin: string,
  token: string | undefined,
  options: RequestOptions = {},
): Promise<Answer<TokenSet>> =>
  request(`${origin}/oidc/token`, {
    form: { grant_type: 'refresh_token', refresh_token: token ?? '', client_id: 'web' },
    ...options,
  })

const expected = <T>({ status, body }: Answer<T>): T => {
  if (status === 200) return body
  throw new Error(`expected 200, got ${status}: ${JSON.stringify(body)}`)
}
