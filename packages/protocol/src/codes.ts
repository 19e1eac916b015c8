/**
 * A client's reaction to a failure. `retry`: repeat the call after a back-off. `reauth`: get a new token
 * first. `renew`: request a new code. `stop`: give up and tell the person.
 */
export type Reaction = 'retry' | 'reauth' | 'renew' | 'stop'

/** What a code means for whoever gets it. */
export interface CodeEntry {
  /** HTTP status of the response. */
  status: number
  react: Reaction
  /** A sentence for people, per language. */
  say: { en: string; zh: string }
}

/** All failures on the wire. The key is the `code` of a problem+json body and of a refused ack. */
export const codes = {
  INVALID: {
    status: 422,
    react: 'stop',
    say: { en: 'The request is not well formed.', zh: '请求格式不正确。' },
  },
  TOO_LARGE: {
    status: 413,
    react: 'stop',
    say: { en: 'The request is too large.', zh: '请求内容过大。' },
  },
  NOT_FOUND: {
    status: 404,
    react: 'stop',
    say: { en: 'There is nothing at this address.', zh: '地址不存在。' },
  },
  METHOD_NOT_ALLOWED: {
    status: 405,
    react: 'stop',
    say: { en: 'This address does not take that method.', zh: '不支持该请求方法。' },
  },
  UNAUTHORIZED: {
    status: 401,
    react: 'reauth',
    say: { en: 'Please sign in first.', zh: '请先登录。' },
  },
  TOKEN_EXPIRED: {
    status: 401,
    react: 'reauth',
    say: { en: 'Your session needs to be refreshed.', zh: '登录状态已过期，请刷新。' },
  },
  REVOKED: {
    status: 401,
    react: 'reauth',
    say: { en: 'This session was ended.', zh: '该登录已被注销。' },
  },
  REPLACED: {
    status: 401,
    react: 'reauth',
    say: { en: 'You have logged in elsewhere, so this login has ended.', zh: '你已在其他地方登录，此处的登录已结束。' },
  },
  FORBIDDEN: {
    status: 403,
    react: 'stop',
    say: { en: 'You may not do this.', zh: '没有权限。' },
  },
  SCOPE_MISSING: {
    status: 403,
    react: 'stop',
    say: { en: 'The scope that is needed is missing.', zh: '缺少所需的权限范围。' },
  },
  ACCOUNT_REFUSED: {
    status: 403,
    react: 'stop',
    say: { en: 'The application does not admit you.', zh: '该应用不允许您登录。' },
  },
  ACCOUNT_DISABLED: {
    status: 403,
    react: 'stop',
    say: { en: 'This account is disabled.', zh: '该账号已被停用。' },
  },
  ORIGIN_NOT_ALLOWED: {
    status: 403,
    react: 'stop',
    say: {
      en: 'This page may not be used with this server: its operator adds the origin of the page to SAOMA_ALLOWED_ORIGINS.',
      zh: '该页面无权使用此服务：请运维人员将页面的源加入 SAOMA_ALLOWED_ORIGINS。',
    },
  },
  NETWORK_NOT_ALLOWED: {
    status: 403,
    react: 'stop',
    say: {
      en: 'Logging in here is possible from certain networks only.',
      zh: '此处仅允许从指定的网络登录。',
    },
  },
  TICKET_NOT_FOUND: {
    status: 404,
    react: 'renew',
    say: { en: 'This code does not exist.', zh: '二维码不存在。' },
  },
  TICKET_TAKEN: {
    status: 409,
    react: 'stop',
    say: { en: 'Somebody else has already scanned this code.', zh: '该二维码已被其他人扫描。' },
  },
  TICKET_VOID: {
    status: 409,
    react: 'stop',
    say: {
      en: 'Several people have scanned this code, so it logs nobody in.',
      zh: '该二维码被多人扫描，已作废，不会登录任何人。',
    },
  },
  TICKET_EXPIRED: {
    status: 410,
    react: 'renew',
    say: { en: 'This code has expired.', zh: '二维码已过期。' },
  },
  TICKET_SETTLED: {
    status: 409,
    react: 'stop',
    say: { en: 'This login has already been decided.', zh: '该登录请求已处理。' },
  },
  NOT_SCANNED: {
    status: 409,
    react: 'stop',
    say: { en: 'Scan the code before you confirm.', zh: '请先扫描二维码。' },
  },
  CONSENT_REQUIRED: {
    status: 409,
    react: 'stop',
    say: {
      en: 'This app does not show what the application would learn. Please update it.',
      zh: '当前程序无法显示该应用将获得哪些信息，请更新后重试。',
    },
  },
  PHONE_CODE_REJECTED: {
    status: 409,
    react: 'stop',
    say: { en: 'Please give your phone number again.', zh: '请重新授权手机号。' },
  },
  CHECK_REQUIRED: {
    status: 409,
    react: 'stop',
    say: { en: 'Enter the number shown beside the code.', zh: '请输入二维码旁显示的数字。' },
  },
  CHECK_WRONG: {
    status: 409,
    react: 'stop',
    say: { en: 'This is not the number beside the code.', zh: '数字与二维码旁显示的不一致。' },
  },
  VERIFICATION_REQUIRED: {
    status: 409,
    react: 'stop',
    say: {
      en: 'A tap is not enough for this login. Update this app if it does not say what is missing.',
      zh: '仅点击确认不足以完成此登录。如果应用没有说明还需要什么，请更新应用。',
    },
  },
  VERIFICATION_WRONG: {
    status: 409,
    react: 'stop',
    say: { en: 'This is not the number on the other screen.', zh: '数字与另一屏幕上显示的不一致。' },
  },
  SESSION_NOT_FOUND: {
    status: 404,
    react: 'stop',
    say: { en: 'This login has already ended.', zh: '该登录已不存在。' },
  },
  KEY_REUSED: {
    status: 409,
    react: 'stop',
    say: { en: 'This idempotency key was used for another message.', zh: '该幂等键已用于另一条消息。' },
  },
  NAME_TAKEN: {
    status: 409,
    react: 'stop',
    say: { en: 'This name is already in use.', zh: '该名称已被使用。' },
  },
  NOT_SUBSCRIBED: {
    status: 409,
    react: 'stop',
    say: { en: 'Subscribe to this channel first.', zh: '请先订阅该频道。' },
  },
  TOO_MANY_CHANNELS: {
    status: 409,
    react: 'stop',
    say: { en: 'This connection follows too many channels.', zh: '该连接订阅的频道过多。' },
  },
  SLOW_READER: {
    status: 503,
    react: 'retry',
    say: { en: 'You read more slowly than messages come. Please reconnect.', zh: '接收速度过慢，请重新连接。' },
  },
  RATE_LIMITED: {
    status: 429,
    react: 'retry',
    say: { en: 'Too many requests. Please wait a moment.', zh: '操作过于频繁，请稍后再试。' },
  },
  WECHAT_UNAVAILABLE: {
    status: 502,
    react: 'retry',
    say: { en: 'WeChat does not answer right now.', zh: '微信服务暂时不可用。' },
  },
  CODE_UNAVAILABLE: {
    status: 503,
    react: 'retry',
    say: { en: 'No code can be shown right now.', zh: '暂时无法显示二维码。' },
  },
  BACKEND_UNAVAILABLE: {
    status: 502,
    react: 'retry',
    say: { en: 'The application does not answer right now.', zh: '业务服务暂时不可用。' },
  },
  REDIS_UNAVAILABLE: {
    status: 503,
    react: 'retry',
    say: { en: 'The service is recovering. Please try again in a moment.', zh: '服务正在恢复，请稍后再试。' },
  },
  DRAINING: {
    status: 503,
    react: 'retry',
    say: { en: 'This node is being replaced. Please reconnect.', zh: '节点正在更新，请重新连接。' },
  },
  INTERNAL: {
    status: 500,
    react: 'retry',
    say: { en: 'Something went wrong on our side.', zh: '服务器内部错误。' },
  },
} as const satisfies Record<string, CodeEntry>

/** A code of the table: PROTOCOL.md explains each. */
export type Code = keyof typeof codes

/** A value, or the code of a failure. Expected outcomes are values; exceptions are for the unexpected. */
export type Result<T> = { ok: true; value: T } | Failed

/** `retryAfter` is in seconds. It is set when the server knows when the same call may succeed. */
export interface Failed {
  ok: false
  code: Code
  retryAfter?: number
  /** More details for a developer than the code's own sentence. */
  detail?: string
  /** The missing or malformed members of a request; empty when the request is not an object. */
  unfit?: readonly string[]
  /** With VERIFICATION_WRONG: how many more numbers may be tried. */
  left?: number
}

/**
 * The result of a call that succeeded.
 *
 * @example
 * ```ts
 * import { ok } from '@saoma/protocol'
 *
 * console.log(ok(17)) // -> { ok: true, value: 17 }
 * ```
 */
export const ok = <T>(value: T): Result<T> => ({ ok: true, value })
/**
 * The result of a call that failed.
 *
 * @param retryAfter  seconds, if it is known when the same call may succeed
 *
 * @example
 * ```ts
 * import { fail } from '@saoma/protocol'
 *
 * console.log(fail('RATE_LIMITED', 3)) // -> { ok: false, code: 'RATE_LIMITED', retryAfter: 3 }
 * ```
 */
export const fail = (code: Code, retryAfter?: number): Failed =>
  retryAfter === undefined ? { ok: false, code } : { ok: false, code, retryAfter }
