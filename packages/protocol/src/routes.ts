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
  /**
   * Whether phone and browser come from the same address: a hint only, since most phones are on another
   * network.
   */
  sameNetwork: boolean
}

/** Answer of `POST /v1/tickets/{ticket}/confirm` and `/reject`. */
export interface DecisionAnswer {
  state: TicketState
}

/** Answer of `GET /v1/user-codes/{user_code}`: the ticket behind a code that was typed instead of scanned. */
export interface UserCodeAnswer {
  ticket: string
}

/** Answer of `POST /v1/codes/{scene}`: the ticket that a pooled code stands for at this moment. */
export interface PooledCodeAnswer {
  ticket: string
}

/** Answer of `GET /v1/tickets/{ticket}/qr` to who accepts JSON: how to show the picture. */
export interface CodePicture {
  /** Whether any camera reads it, or WeChat only. */
  code: 'plain' | 'mini-program'
  /** A `data:` URL, or where the picture lies. */
  url: string
  /** Of what lies there, in the form of Subresource Integrity. Show nothing that does not fit. */
  integrity?: string
  /**
   * Two digits to show beside the code, which the phone asks for: the code was shown to somebody else before.
   */
  check?: string
  /** Whether `POST /v1/tickets/{ticket}/link` leads from a browser on the phone into the app. */
  link: boolean
}

/** Answer of `POST /v1/tickets/{ticket}/link` and of `GET /v1/link`. */
export interface TicketLink {
  /** Opens the app on the same phone. */
  url: string
  /** Seconds for which it does. */
  expiresIn: number
}

/** One place where a person is logged in. */
export interface SessionEntry {
  sid: string
  /** OAuth client that the tokens were issued to. */
  client: string
  app: string
  ip: string
  browser: string
  os: string
  /** ISO 8601 time of the login. */
  since: string
  /** Whether it is the asker's own. */
  current: boolean
}

/** Answer of `GET /v1/sessions`, the newest login first. */
export interface SessionList {
  sessions: SessionEntry[]
}

/** Answer of `DELETE /v1/sessions` and `DELETE /v1/sessions/{sid}`. */
export interface SessionsEnded {
  ended: number
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

/**
 * In front of the base64url SHA-256 of a refresh token, the revocation endpoint takes it in the token's
 * place. Whoever wants to log out later can keep that: it ends the session and is good for nothing else.
 */
export const HASHED_TOKEN = 'sha256~'
/**
 * Of an answer of the revocation endpoint that knows of that. To a token that it does not know it says 200,
 * as RFC 7009 asks.
 */
export const TAKES_HASHES_HEADER = 'X-Saoma-Takes-Hashes'
export const DEVICE_CODE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
export const WX_CODE_GRANT = 'urn:saoma:grant-type:wx-code'
