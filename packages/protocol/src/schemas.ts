/*
 * The schemas of the parsers, under names that say whose they are. The API documents are made of them, so
 * what a parser takes is what a document says. Pages import the parsers.
 */

export {
  DeviceCode,
  Link as TicketLink,
  Picture as CodePicture,
  PooledCode as PooledCodeAnswer,
  PooledScene,
  Scan as ScanAnswer,
  State as TicketState,
  Ticket,
  VerificationDigits,
  Watch as WatchRequest,
} from './parse.ts'
export { Confirmation } from './parse-confirmation.ts'
export { ProblemBody as Problem } from './parse-error.ts'
export {
  Asked as AskedChannel,
  At as Position,
  Box as Inbox,
  Change as PresenceChange,
  Epoch,
  Here as Presence,
  Kept as Message,
  Name as ChannelName,
  OfChannel as ChannelRequest,
  PageBody as Page,
  Passing as VolatileMessage,
  Publish as Publication,
  Read as ReadRequest,
  Receipt as Published,
  Refresh as RefreshRequest,
  Subscribe as SubscribeRequest,
} from './parse-live.ts'
export { Browsers as KnownBrowsers, Waiting as WaitingRequests } from './parse-requests.ts'
export { Activity as ActivityPage, Ended as SessionsEnded, Sessions as SessionList } from './parse-sessions.ts'
