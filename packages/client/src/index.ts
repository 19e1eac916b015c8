export { type BackoffOptions, backoffMs } from './core/backoff.ts'
export { type Bound, boundBy } from './core/bound.ts'
export { type Claims, decodeClaims } from './core/claims.ts'
export type { Transports } from './core/connection.ts'
export type { Listenable } from './core/emitter.ts'
export type { Page } from './core/page.ts'
export type { Binding } from './core/proof.ts'
export { type Answer, type Failure, form, type RequestOptions, request } from './core/request.ts'
export { createMemoryStorage, type KeyValue } from './core/storage.ts'
export type { TokenSource } from './core/tokens.ts'
export type { ElementState, SaomaLoginEvents } from './element/events.ts'
export type { LoginSession } from './element/handover.ts'
export { isPhone } from './element/phone.ts'
export type { Lost } from './live/cursor.ts'
export { createLive, type Door, type Live, type LiveEvents, type LiveOptions, type LiveState } from './live/live.ts'
export type { Room, RoomEvents, RoomOptions, RoomState, Told } from './live/room.ts'
export { answerLogin } from './login/code-answer.ts'
export type { CodeLoginState } from './login/code-login.ts'
export { createLogin, type Login, type LoginEvents, type LoginOptions } from './login/login.ts'
export type { LoginConnection, LoginState, ShownCode } from './login/login-state.ts'
export { createDevices, type Devices, type DevicesOptions, onDevicesChanged } from './session/devices.ts'
export { createSession, type Session, type SessionEvents, type SessionOptions } from './session/session.ts'
export {
  monitorSession,
  type SessionMonitor,
  type SessionMonitorEvents,
  type SessionMonitorOptions,
} from './session/session-monitor.ts'
