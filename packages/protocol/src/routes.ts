import type { Code, Reaction } from './codes.ts'
import type { LoginRequest, TicketOpened, TicketState } from './ticket.ts'
import type { VerificationMode } from './verification.ts'

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
  /** The phone of the person whose browser this is was asked. Its own code does as well. */
  pushed?: true | undefined
}

/** Answer of `POST /oidc/token`. */
export interface TokenSet {
  access_token: string
  /** `DPoP`: bound to a key (RFC 9449). */
  token_type: 'Bearer' | 'DPoP'
  /** Seconds. */
  expires_in: number
  scope?: string
  id_token?: string
  refresh_token?: string
  /**
   * What became of a phone's `phone_code`: `accepted`, or `rejected` or `unavailable`, and then the person
   * got in without the number.
   */
  phone_code?: string
  /** This browser is remembered: by the key that it has proven, it may ask the person's phone next time. */
  browser_remembered?: true | undefined
  /** With it: how the page may name the person next time. Missing if the account has no name. */
  remembered_name?: string | undefined
}

/** Error body of the `/oidc` routes (RFC 6749 section 5.2). */
export interface OAuthError {
  error: string
  error_description?: string
  /** Why the session of a refused refresh token has ended, if it was ended on purpose. */
  code?: Code
  /** A sentence for the person, by whoever ended it. */
  reason?: string
}

/** Answer of `POST /v1/tickets/{ticket}/scan`. */
export interface ScanAnswer {
  state: TicketState
  request: LoginRequest
  /**
   * Whether phone and browser are in one network. Only a hint, because most phones are on another one.
   */
  sameNetwork: boolean
  /**
   * Whether this account has read the code or typed it. A code that was typed may be one that somebody has
   * sent. Missing from a server of an older version.
   */
  opened?: TicketOpened | undefined
  /**
   * How the person confirms. With `number` the phone asks for the two digits that the other screen displays,
   * and sends them with the confirmation.
   */
  verification: VerificationMode
}

/** Body of `POST /v1/tickets/{ticket}/confirm`. It may be empty. */
export interface ConfirmationBody {
  /** What the phone has shown: the scopes of an application of somebody else. */
  scopes?: readonly string[] | undefined
  /** The two digits that the person has typed. */
  number?: string | undefined
}

/** Answer of `POST /v1/tickets/{ticket}/confirm` and `/reject`. */
export interface DecisionAnswer {
  state: TicketState
}

/** Answer of `GET /v1/user-codes/{user_code}`: the ticket of a code that was typed instead of scanned. */
export interface UserCodeAnswer {
  ticket: string
}

/** A request to log in that an application has sent to the person's phone (CIBA), and that waits there. */
export interface WaitingRequest {
  ticket: string
  /** Id of the application. */
  client: string
  /** Its name. */
  app: string
  /** What the application displays, for comparison. */
  message?: string | undefined
  /** ISO 8601 time. */
  requestedAt: string
  /** Seconds in which the person has to answer. */
  expiresIn: number
}

/** Answer of `GET /v1/me/requests`: the newest first. */
export interface WaitingRequests {
  requests: WaitingRequest[]
}

/** A browser that may ask the person's phone, because the person has logged in there. */
export interface KnownBrowser {
  id: string
  browser: string
  os: string
  /** Address of the last login. */
  ip: string
  /** ISO 8601 times of the first and of the last login. */
  since: string
  last: string
}

/** Answer of `GET /v1/me/browsers`: the one that was used last comes first. */
export interface KnownBrowsers {
  browsers: KnownBrowser[]
}

/** Answer of `POST /v1/user-codes`: the ticket of a device's code that somebody typed on a page. */
export interface TypedCodeAnswer {
  ticket: string
  /** Name of the application whose device shows the code. */
  app: string
}

/** Answer of `POST /v1/codes/{scene}`: the ticket to which a pooled code is leased now. */
export interface PooledCodeAnswer {
  ticket: string
}

/** Answer of `GET /v1/tickets/{ticket}/qr` to clients that accept JSON: how to show the picture. */
export interface CodePicture {
  /** Whether any camera can read it, or only WeChat. */
  code: 'plain' | 'mini-program'
  /** A `data:` URL, or the picture's address. */
  url: string
  /**
   * Hash of the picture at that address, in the form of Subresource Integrity. Do not show a picture that
   * does not match.
   */
  integrity?: string
  /**
   * Two digits to show beside the code; the phone asks for them, because the code was shown to another person
   * before.
   */
  check?: string
  /** Whether `POST /v1/tickets/{ticket}/link` gives an address that opens the app on the phone. */
  link: boolean
}

/** Answer of `POST /v1/tickets/{ticket}/link` and of `GET /v1/link`. */
export interface TicketLink {
  /** Opens the app on the same phone. */
  url: string
  /** Lifetime of the address in seconds. */
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
  /** Whether this is the caller's own session. */
  current: boolean
  /** Applications that the person entered with this login, after the one in `client` and `app`. */
  applications?: { client: string; name: string }[] | undefined
}

/** Answer of `GET /v1/sessions`, the newest login first. */
export interface SessionList {
  sessions: SessionEntry[]
}

/**
 * Answer of `DELETE /v1/sessions`, `DELETE /v1/sessions/{sid}`, `POST /v1/users/{id}/end` and
 * `POST /v1/sessions/{sid}/report`, where it is 0 if the session was over.
 */
export interface SessionsEnded {
  ended: number
}

/** Something that happened to a person's account or logins. */
export interface ActivityEntry {
  id: string
  /**
   * What happened, such as `login.confirmed`, `login.redeemed`, `session.moved` or `session.ended`. Later
   * versions have more: a client says of others only that something happened.
   */
  kind: string
  /** ISO 8601. */
  time: string
  ticket?: string | undefined
  sid?: string | undefined
  /** OAuth client. */
  client?: string | undefined
  app?: string | undefined
  ip?: string | undefined
  browser?: string | undefined
  os?: string | undefined
  /** How the person proved to be there, such as `tap`. */
  mode?: string | undefined
  /** Who did it: `person`, `browser`, `phone`, `backend`, `operator` or `saoma`. */
  by?: string | undefined
  /** Why: a code or a word. */
  reason?: string | undefined
}

/** Answer of `GET /v1/me/activity`, the newest first. */
export interface ActivityPage {
  entries: ActivityEntry[]
  /** Asks for the next page; absent on the last one. */
  cursor?: string | undefined
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
  /** With REVOKED or REPLACED: a sentence for the person, by whoever ended the session. */
  reason?: string
  /** With VERIFICATION_WRONG: how many more numbers may be tried. With 0 the login was refused. */
  left?: number
}

/**
 * Prefix for a base64url SHA-256 of a refresh token. The revocation endpoint accepts it instead of the token.
 * A client can store it for a later logout: it ends the session and is good for nothing else.
 */
export const HASHED_TOKEN = 'sha256~'
/**
 * Response header of a revocation endpoint that knows `HASHED_TOKEN`. An older one answers 200 to an unknown
 * token, as RFC 7009 requires.
 */
export const TAKES_HASHES_HEADER = 'X-Saoma-Takes-Hashes'
/** The grant type with which a browser redeems a confirmed ticket (RFC 8628 section 3.4). */
export const DEVICE_CODE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
/** The grant type of an application that has asked for a login on the phone (CIBA Core, section 10.1). */
export const CIBA_GRANT = 'urn:openid:params:grant-type:ciba'
/** The grant type with which a phone turns a code of `wx.login` into a token. */
export const WX_CODE_GRANT = 'urn:saoma:grant-type:wx-code'
/** The grant type with which a company's own app turns a token of its backend into a phone's (RFC 8693). */
export const TOKEN_EXCHANGE_GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange'
