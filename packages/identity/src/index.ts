export { modeOf } from './authentication.ts'
export {
  type Client,
  type ClientGrant,
  type ClientRegistry,
  clientGrants,
  isNative,
  pageOrigins,
} from './client.ts'
export { WEB_CLIENT } from './clients.ts'
export { cookieKeys } from './cookie-keys.ts'
export { type LogoutView, sessionCookie } from './end-session.ts'
export { createIdentity, type Identity, type IdentityOptions } from './identity.ts'
export type { Interactions, InteractionView } from './interactions.ts'
export type { KeyProof } from './key-proof.ts'
export type { KnownBrowsers } from './known-browsers.ts'
export type { LogoutsOptions, Untellable } from './logouts.ts'
export { type OpenSessions, type OpenSessionsOptions, openSessions } from './open-sessions.ts'
export type { PingsOptions } from './pings.ts'
export { INTERACTION_COOKIE } from './provider.ts'
export { PREFIX_OF_BROWSER, type Push, type PushedLogin } from './push.ts'
export type { EndedSession } from './session-ends.ts'
export type { SessionKind, SessionLimits } from './session-policy.ts'
export type { Application, BegunSession, SessionRecord } from './sessions.ts'
export type { SigningKeyTimes } from './signing-keys.ts'
export { isVoid, type Survey, survey } from './survey.ts'
export type { TicketRecord, TicketStore } from './ticket-store.ts'
export type { AppRecognition, RecogniseApp, SubjectTokenType } from './token-exchange.ts'
export type { Userinfo } from './userinfo.ts'
export type { Bearer } from './verify.ts'
export type { PhoneCodeOutcome, Recognise, Recognition } from './wx-code.ts'
