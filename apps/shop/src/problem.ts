import type { Context } from 'koa'

/** All refusals of the shop, with their HTTP status. */
const statuses = {
  INVALID: 422,
  TOO_LARGE: 413,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  /** Another person was faster. The answer contains the current state. */
  CONFLICT: 409,
  /** The order has been sent to the kitchen. */
  PLACED: 409,
  /** More of one dish than a table may order. */
  FULL: 409,
  /** Too many are running already. */
  BUSY: 429,
  UNAVAILABLE: 503,
  INTERNAL: 500,
} as const

export type Code = keyof typeof statuses

/** Answers with `application/problem+json` (RFC 9457). `more` adds members to it. */
export const problem = (ctx: Context, code: Code, more: object = {}): void => {
  const status = statuses[code]
  ctx.status = status
  ctx.type = 'application/problem+json'
  if (status === 401) ctx.set('WWW-Authenticate', 'Bearer')
  if (status === 429 || status === 503) ctx.set('Retry-After', '2')
  ctx.body = JSON.stringify({ type: 'about:blank', title: code, status, code, ...more })
}
