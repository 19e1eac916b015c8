import type { Code, Reaction } from './codes.ts'
import type { LoginRequest, TicketState } from './ticket.ts'

/** Answer of `POST /oidc/device/auth`: RFC 8628 section 3.2 plus `ticket` and `qr`. */
export interface DeviceAuthorization {
  device_code: string
  user_code: string
  verification_uri: string
  verification_uri_complete: string
  /** Seconds in which the code must be scanned. */
  expires_in: number
  /** Seconds between polls of the token endpoint. */
  interval: number
  ticket: string
  /** URL of the picture. */
  qr: string
}

/** Answer of `POST /oidc/token`. */
export interface TokenSet {
  access_token: string
  token_type: 'Bearer'
  /** Seconds. */
  expires_in: number
  scope?: string
  id_token?: string
  refresh_token?: string
}

/** Error body of the `/oidc` routes (RFC 6749 section 5.2). */
export interface OAuthError {
  error: string
  error_description?: string
}

/** Answer of `POST /v1/tickets/{ticket}/scan`. */
export interface ScanAnswer {
  state: TicketState
  request: LoginRequest
}

/** Answer of `POST /v1/tickets/{ticket}/confirm` and `/reject`. */
export interface DecisionAnswer {
  state: TicketState
}

/** Answer of `GET /v1/user-codes/{user_code}`: the ticket behind a code that was typed instead of scanned. */
export interface UserCodeAnswer {
  ticket: string
}

/** Error body of the `/v1` routes, `application/problem+json` (RFC 9457). */
export interface Problem {
  type: string
  title: string
  status: number
  detail?: string
  /** The request's id, as in the log. */
  instance?: string
  code: Code
  react: Reaction
}

export const DEVICE_CODE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
export const WX_CODE_GRANT = 'urn:saoma:grant-type:wx-code'
