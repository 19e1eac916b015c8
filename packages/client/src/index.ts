export { type BackoffOptions, backoffMs } from './backoff.ts'
export { type Bound, boundBy } from './bound.ts'
export { type Claims, decodeClaims } from './claims.ts'
export type { Transports } from './connection.ts'
export type { Lost } from './cursor.ts'
export { createDevices, type Devices, type DevicesOptions, onDevicesChanged } from './devices.ts'
export { isPhone } from './element-phone.ts'
export type { Listenable } from './emitter.ts'
export { createLive, type Door, type Live, type LiveEvents, type LiveOptions, type LiveState } from './live.ts'
export { createLogin, type Login, type LoginEvents, type LoginOptions } from './login.ts'
export type { LoginConnection, LoginState, ShownCode } from './login-state.ts'
export type { Page } from './page.ts'
export { type Answer, type Failure, form, type RequestOptions, request } from './request.ts'
export type { Room, RoomEvents, RoomOptions, RoomState, Told } from './room.ts'
export { createSession, type Session, type SessionEvents, type SessionOptions } from './session.ts'
export {
  monitorSession,
  type SessionMonitor,
  type SessionMonitorEvents,
  type SessionMonitorOptions,
} from './session-monitor.ts'
export { createMemoryStorage, type KeyValue } from './storage.ts'
export type { TokenSource } from './tokens.ts'
