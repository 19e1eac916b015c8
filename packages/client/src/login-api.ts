import {
  DEVICE_CODE_GRANT,
  type DeviceAuthorization,
  parseDeviceAuthorization,
  parseTicketState,
  parseTokenSet,
  type TicketState,
  type TokenSet,
  ticketOf,
} from '@saoma/protocol'
import { type Answer, form, request } from './request.ts'

const REQUEST_TIMEOUT_MS = 10_000

export interface LoginApiOptions {
  origin: string
  clientId: string
  fetch: typeof fetch
}

/** What proves that the tokens are ours: the device code, or the cookie that goes with a ticket of WeChat's own long poll. */
export type Proof = { deviceCode: string } | { ticket: string }

export interface LoginApi {
  /** Asks for a new code. */
  authorize(scope: string, signal: AbortSignal): Promise<Answer<DeviceAuthorization>>
  /** Reads a ticket; the server holds the answer up to `waitSeconds` until there is a version above `after`. */
  read(deviceCode: string, after: number, waitSeconds: number, signal: AbortSignal): Promise<Answer<TicketState>>
  /** Turns a confirmed ticket into tokens, once. */
  redeem(proof: Proof, signal: AbortSignal): Promise<Answer<TokenSet>>
}

export const createLoginApi = ({ origin, clientId, fetch }: LoginApiOptions): LoginApi => ({
  authorize: (scope, signal) =>
    request({
      fetch,
      url: `${origin}/oidc/device/auth`,
      init: form({ client_id: clientId, scope }),
      parse: parseDeviceAuthorization,
      timeoutMs: REQUEST_TIMEOUT_MS,
      signal,
    }),
  read: (deviceCode, after, waitSeconds, signal) =>
    request({
      fetch,
      url: `${origin}/v1/tickets/${ticketOf(deviceCode)}?after=${after}&wait=${waitSeconds}`,
      init: { headers: { authorization: `Bearer ${deviceCode}`, accept: 'application/json' } },
      parse: parseTicketState,
      timeoutMs: waitSeconds * 1_000 + REQUEST_TIMEOUT_MS,
      signal,
    }),
  redeem: (proof, signal) =>
    request({
      fetch,
      url: `${origin}/oidc/token`,
      init: form({
        grant_type: DEVICE_CODE_GRANT,
        client_id: clientId,
        ...('deviceCode' in proof ? { device_code: proof.deviceCode } : { ticket: proof.ticket }),
      }),
      parse: parseTokenSet,
      timeoutMs: REQUEST_TIMEOUT_MS,
      signal,
    }),
})
