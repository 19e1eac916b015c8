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

/** What a browser does: asks for a code. Use `attemptTicket` to see an answer that is not 200. */
export const createTicket = async (origin: string, options: RequestOptions = {}): Promise<DeviceAuthorization> =>
  expected(await attemptTicket(origin, options))

export const attemptTicket = (origin: string, options: RequestOptions = {}): Promise<Answer<DeviceAuthorization>> =>
  request(`${origin}/oidc/device/auth`, {
    form: { client_id: 'web', scope: 'openid profile offline_access' },
    ...options,
  })

/** What a phone does first: its token, here of the demo account `name`. */
export const phoneToken = async (origin: string, name: string): Promise<string> =>
  expected(await attemptPhoneToken(origin, `demo:${name}`)).access_token

/** As `phoneToken`, with any `wx.login` code and any answer. */
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

/** What a phone does with a ticket, with its token. */
export const scan = act<ScanAnswer>('scan')
export const confirm = act<DecisionAnswer>('confirm')
export const reject = act<DecisionAnswer>('reject')

/**
 * What a browser does to follow its ticket without a socket; `after` and `wait` (seconds) hold the answer.
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

/** What a browser does with a confirmed ticket. */
export const redeem = (origin: string, deviceCode: string, options: RequestOptions = {}): Promise<Answer<TokenSet>> =>
  request(`${origin}/oidc/token`, {
    form: { grant_type: DEVICE_CODE_GRANT, device_code: deviceCode, client_id: 'web' },
    ...options,
  })

/** What a browser does when its access token is about to end. @param token  a refresh token */
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
