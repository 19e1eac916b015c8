import * as v from 'valibot'
import { type Code, codes, type Result } from './codes.ts'
import { parser } from './parser.ts'
import type { DeviceAuthorization, OAuthError, Problem, ScanAnswer, TokenSet } from './routes.ts'
import { deviceCodePattern, type TicketState, type TicketStatus, ticketPattern, transitions } from './ticket.ts'

const Count = v.pipe(v.number(), v.integer(), v.minValue(0))
const Ticket = v.pipe(v.string(), v.regex(ticketPattern))
const DeviceCode = v.pipe(v.string(), v.regex(deviceCodePattern))
const Status = v.picklist(Object.keys(transitions) as TicketStatus[])
const CodeName = v.picklist(Object.keys(codes) as Code[])

const State = v.object({ ticket: Ticket, status: Status, version: Count, expiresIn: Count })

const Watch = v.object({ deviceCode: DeviceCode })

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

const Scan = v.object({
  state: State,
  request: v.object({
    app: v.string(),
    ip: v.string(),
    browser: v.string(),
    os: v.string(),
    requestedAt: v.string(),
    userCode: v.string(),
  }),
})

const ProblemBody = v.object({
  type: v.string(),
  title: v.string(),
  status: Count,
  detail: v.optional(v.string()),
  instance: v.optional(v.string()),
  code: CodeName,
  react: v.picklist(['retry', 'reauth', 'renew', 'stop']),
})

const OAuthErrorBody = v.object({ error: v.string(), error_description: v.optional(v.string()) })

/** Parsers from `unknown`: the only validators of the wire, for both ends. Unknown extra keys are dropped. */
export const parseTicket: (input: unknown) => Result<string> = parser(Ticket)
export const parseDeviceCode: (input: unknown) => Result<string> = parser(DeviceCode)
export const parseWatch: (input: unknown) => Result<{ deviceCode: string }> = parser(Watch)
export const parseTicketState: (input: unknown) => Result<TicketState> = parser(State)
export const parseDeviceAuthorization: (input: unknown) => Result<DeviceAuthorization> = parser(Authorization)
export const parseTokenSet: (input: unknown) => Result<TokenSet> = parser(Tokens)
export const parseScanAnswer: (input: unknown) => Result<ScanAnswer> = parser(Scan)
export const parseProblem: (input: unknown) => Result<Problem> = parser(ProblemBody)
export const parseOAuthError: (input: unknown) => Result<OAuthError> = parser(OAuthErrorBody)
