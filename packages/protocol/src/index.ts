export { type Code, type CodeEntry, codes, fail, ok, type Reaction, type Result } from './codes.ts'
export { type Ack, LOGIN_NAMESPACE, type LoginClientEvents, type LoginServerEvents, type Refusal } from './events.ts'
export {
  parseDeviceAuthorization,
  parseDeviceCode,
  parseOAuthError,
  parseProblem,
  parseScanAnswer,
  parseTicket,
  parseTicketState,
  parseTokenSet,
  parseWatch,
} from './parse.ts'
export {
  DEVICE_CODE_GRANT,
  type DecisionAnswer,
  type DeviceAuthorization,
  type OAuthError,
  type Problem,
  type ScanAnswer,
  type TokenSet,
  type UserCodeAnswer,
  WX_CODE_GRANT,
} from './routes.ts'
export {
  deviceCodeBits,
  deviceCodePattern,
  isTerminal,
  type LoginRequest,
  type TicketState,
  type TicketStatus,
  ticketOf,
  ticketPattern,
  transitions,
} from './ticket.ts'
