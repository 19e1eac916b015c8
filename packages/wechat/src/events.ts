import type { Api } from './request.ts'

/** What happened, for logs and metrics. No event holds a secret, a token, a login code or an openid. */
export type WechatEvent =
  /** One try of a call. Milliseconds. */
  | { kind: 'answered'; api: Api; ms: number }
  | { kind: 'refused'; api: Api; ms: number; errcode: number; rid?: string }
  | { kind: 'unreachable'; api: Api; ms: number; reason: string }
  | { kind: 'unexpected'; api: Api; ms: number; status?: number }
  /** A new access token was fetched; `lifeMs` is how long it will do. */
  | { kind: 'token-fetched'; lifeMs: number; forced: boolean }
  /** Redis was away, so this node cared for its access token alone. */
  | { kind: 'redis-away' }
