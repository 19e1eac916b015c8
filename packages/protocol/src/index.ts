export { type Backoff, backoffMs, pause } from './backoff.ts'
export {
  channelPattern,
  type Inbox,
  isEmptyEpoch,
  isNext,
  type LossReason,
  type Message,
  OWN_CHANNEL,
  type Page,
  type Position,
  type Presence,
  type PresenceChange,
  type Publication,
  type Published,
  type Subscribed,
  type SubscribeRequest,
  userChannel,
  userOf,
  type VolatileMessage,
} from './channel.ts'
export { type Code, type CodeEntry, codes, type Failed, fail, ok, type Reaction, type Result } from './codes.ts'
export { givenIn, readSettings, type Settings } from './environment.ts'
export {
  type Ack,
  type EndNotice,
  type LiveClientEvents,
  type LiveServerEvents,
  LOGIN_NAMESPACE,
  LOGIN_ONLY,
  type LoginClientEvents,
  type LoginServerEvents,
  type Refusal,
} from './events.ts'
export { exactText, isBeyond, mayBeInexact, parseExact, readExact, reviveExact, sayBeyond } from './exact-json.ts'
export {
  LONGEST_HOLD_SECONDS,
  LONGEST_TOKEN,
  MOST_CHANNELS,
  MOST_HISTORY,
  PAGE_BYTES,
  PAGE_MESSAGES,
} from './limits.ts'
export {
  parseCodePicture,
  parseDeviceAuthorization,
  parseDeviceCode,
  parsePooledCodeAnswer,
  parsePooledScene,
  parseScanAnswer,
  parseTicket,
  parseTicketLink,
  parseTicketState,
  parseTokenSet,
  parseVerificationDigits,
  parseWatch,
} from './parse.ts'
export { parseConfirmation } from './parse-confirmation.ts'
export { parseOAuthError, parseProblem } from './parse-error.ts'
export {
  parseChannel,
  parseInbox,
  parseMessage,
  parseOfChannel,
  parsePosition,
  parsePresence,
  parsePresenceChange,
  parsePublication,
  parsePublished,
  parseRead,
  parseRefresh,
  parseSubscribe,
  parseSubscribed,
  parseVolatile,
} from './parse-live.ts'
export { parseActivity, parseSessionList, parseSessionsEnded } from './parse-sessions.ts'
export { readBytes, reasonOf } from './response.ts'
export {
  type ActivityEntry,
  type ActivityPage,
  type CodePicture,
  type ConfirmationBody,
  DEVICE_CODE_GRANT,
  type DecisionAnswer,
  type DeviceAuthorization,
  HASHED_TOKEN,
  type OAuthError,
  type PooledCodeAnswer,
  type Problem,
  type ScanAnswer,
  type SessionEntry,
  type SessionList,
  type SessionsEnded,
  TAKES_HASHES_HEADER,
  type TicketLink,
  TOKEN_EXCHANGE_GRANT,
  type TokenSet,
  type TypedCodeAnswer,
  type UserCodeAnswer,
  WX_CODE_GRANT,
} from './routes.ts'
export {
  deviceCodeBits,
  deviceCodePattern,
  isTerminal,
  type LoginRequest,
  pooledSceneBits,
  pooledScenePattern,
  type TicketOpened,
  type TicketState,
  type TicketStatus,
  ticketOf,
  ticketOpenings,
  ticketPattern,
  transitions,
} from './ticket.ts'
export {
  isAtLeast,
  MOST_WRONG_NUMBERS,
  type VerificationDemand,
  type VerificationMode,
  verificationDemands,
  verificationModes,
} from './verification.ts'
