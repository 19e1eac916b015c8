import * as v from 'valibot'
import { type Code, codes, type Result } from './codes.ts'
import { parser } from './parser.ts'
import type {
  CodePicture,
  DeviceAuthorization,
  OAuthError,
  PooledCodeAnswer,
  Problem,
  ScanAnswer,
  SessionList,
  SessionsEnded,
  TicketLink,
  TokenSet,
} from './routes.ts'
import {
  deviceCodePattern,
  pooledScenePattern,
  type TicketState,
  type TicketStatus,
  ticketPattern,
  transitions,
} from './ticket.ts'

const Count = v.pipe(v.number(), v.integer(), v.minValue(0))
export const Ticket = v.pipe(v.string(), v.regex(ticketPattern))
export const DeviceCode = v.pipe(v.string(), v.regex(deviceCodePattern))
const Status = v.picklist(Object.keys(transitions) as TicketStatus[])
const CodeName = v.picklist(Object.keys(codes) as Code[])

export const State = v.object({ ticket: Ticket, status: Status, version: Count, expiresIn: Count })

export const Watch = v.object({ deviceCode: DeviceCode })

const Authorization = v.object({
  device_code: DeviceCode,
  user_code: v.string(),
  verification_uri: v.string(),
  verification_uri_complete: v.string(),
  expires_in: Count,
  interval: Count,
  ticket: Ticket,
  qr: v.string(),
})

const Tokens = v.object({
  access_token: v.string(),
  token_type: v.literal('Bearer'),
  expires_in: Count,
  scope: v.optional(v.string()),
  id_token: v.optional(v.string()),
  refresh_token: v.optional(v.string()),
})

export const Scan = v.object({
  state: State,
  request: v.object({
    app: v.string(),
    ip: v.string(),
    browser: v.string(),
    os: v.string(),
    requestedAt: v.string(),
    userCode: v.string(),
  }),
  sameNetwork: v.boolean(),
})

const Check = v.pipe(v.string(), v.regex(/^\d{2}$/))
export const PooledScene = v.pipe(v.string(), v.regex(pooledScenePattern))
export const VerificationDigits = v.object({ check: v.optional(Check) })
export const PooledCode = v.object({ ticket: Ticket })
export const Picture = v.object({
  code: v.picklist(['plain', 'mini-program']),
  url: v.string(),
  integrity: v.optional(v.string()),
  check: v.optional(Check),
  link: v.boolean(),
})
export const Link = v.object({ url: v.string(), expiresIn: Count })
export const Sessions = v.object({
  sessions: v.array(
    v.object({
      sid: v.string(),
      client: v.string(),
      app: v.string(),
      ip: v.string(),
      browser: v.string(),
      os: v.string(),
      since: v.string(),
      current: v.boolean(),
    }),
  ),
})
export const Ended = v.object({ ended: Count })

export const ProblemBody = v.object({
  type: v.string(),
  title: v.string(),
  status: Count,
  detail: v.optional(v.string()),
  instance: v.optional(v.string()),
  code: CodeName,
  react: v.picklist(['retry', 'reauth', 'renew', 'stop']),
})

const OAuthErrorBody = v.object({ error: v.string(), error_description: v.optional(v.string()) })

/** Parsers from `unknown`: the only validators of wire data, for both sides. Unknown keys are dropped. */
export const parseTicket: (input: unknown) => Result<string> = parser(Ticket)
/** The scene of a pooled code. */
export const parsePooledScene: (input: unknown) => Result<string> = parser(PooledScene)
/** Body of `POST /v1/codes/{scene}`. */
export const parseVerificationDigits: (input: unknown) => Result<{ check?: string | undefined }> =
  parser(VerificationDigits)
export const parseDeviceCode: (input: unknown) => Result<string> = parser(DeviceCode)
export const parseWatch: (input: unknown) => Result<{ deviceCode: string }> = parser(Watch)
export const parseTicketState: (input: unknown) => Result<TicketState> = parser(State)
export const parseDeviceAuthorization: (input: unknown) => Result<DeviceAuthorization> = parser(Authorization)
export const parseTokenSet: (input: unknown) => Result<TokenSet> = parser(Tokens)
export const parseScanAnswer: (input: unknown) => Result<ScanAnswer> = parser(Scan)
export const parsePooledCodeAnswer: (input: unknown) => Result<PooledCodeAnswer> = parser(PooledCode)
export const parseCodePicture: (input: unknown) => Result<CodePicture> = parser(Picture)
export const parseTicketLink: (input: unknown) => Result<TicketLink> = parser(Link)
export const parseSessionList: (input: unknown) => Result<SessionList> = parser(Sessions)
export const parseSessionsEnded: (input: unknown) => Result<SessionsEnded> = parser(Ended)
export const parseProblem: (input: unknown) => Result<Problem> = parser(ProblemBody)
export const parseOAuthError: (input: unknown) => Result<OAuthError> = parser(OAuthErrorBody)
