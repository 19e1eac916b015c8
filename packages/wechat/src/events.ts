import type { Api } from './request.ts'

/** Events for logs and metrics. They contain no secret, token, login code or openid. */
export type WechatEvent =
  /** One try of a call, with its duration in milliseconds. */
  | { kind: 'answered'; api: Api; ms: number }
  | { kind: 'refused'; api: Api; ms: number; errcode: number; rid?: string }
  | { kind: 'unreachable'; api: Api; ms: number; reason: string }
  | { kind: 'unexpected'; api: Api; ms: number; status?: number }
  /** A new access token was fetched. `lifeMs` is its lifetime. */
  | { kind: 'token-fetched'; lifeMs: number; forced: boolean }
  /** Redis was unavailable, so this node handled its access token alone. */
  | { kind: 'redis-away' }
