import { type Code, codes, type Problem, type Result } from '@saoma/protocol'
import { RedisUnavailable } from '@saoma/redis'
import type { Logger } from '../../operate/log.ts'
import type { Context, Middleware } from './context.ts'

/** OAuth's words (RFC 6749 section 5.2, RFC 6750 section 3.1) for some codes below `/oidc`. */
const oauthErrors: { readonly [C in Code]?: string } = {
  UNAUTHORIZED: 'invalid_token',
  TOKEN_EXPIRED: 'invalid_token',
  REVOKED: 'invalid_token',
  SCOPE_MISSING: 'insufficient_scope',
  ACCOUNT_DISABLED: 'access_denied',
}

/**
 * Answers with `application/problem+json` (RFC 9457). `detail` is for the developer of the client and never
 * contains a secret. `reason` is for the person whose session was ended. `left` counts the tries that are
 * left.
 */
export const problem = (ctx: Context, code: Code, detail?: string, reason?: string, left?: number): void => {
  const { status, react, say } = codes[code]
  const body: Problem = {
    type: 'about:blank',
    title: say.en,
    status,
    ...(detail ? { detail } : {}),
    instance: ctx.state.requestId,
    code,
    react,
    ...(reason ? { reason } : {}),
    ...(left === undefined ? {} : { left }),
  }
  // Under /oidc clients expect an OAuth error code.
  const oauth = ctx.path.startsWith('/oidc/') && {
    error: oauthErrors[code] ?? (react === 'retry' ? 'temporarily_unavailable' : 'invalid_request'),
  }
  ctx.status = status
  ctx.type = 'application/problem+json'
  ctx.set('Cache-Control', 'no-store')
  if (status === 401) ctx.set('WWW-Authenticate', 'Bearer')
  if (status === 503 || status === 502) ctx.set('Retry-After', '2')
  ctx.body = JSON.stringify({ ...body, ...oauth })
  ctx.state.code = code
  if (detail) ctx.state.detail = detail
}

/** Answers with the value as JSON (`no-store`), or with the problem. `rule` explains an INVALID request. */
export const answer = <T extends object>(ctx: Context, result: Result<T>, rule?: string): void => {
  if (!result.ok) {
    problem(ctx, result.code, result.code === 'INVALID' ? rule : undefined, undefined, result.left)
    if (result.retryAfter !== undefined) ctx.set('Retry-After', String(result.retryAfter))
    return
  }
  ctx.set('Cache-Control', 'no-store')
  ctx.body = result.value
}

export const tooMany = (ctx: Context, retryAfterSeconds: number): void => {
  problem(ctx, 'RATE_LIMITED')
  ctx.set('Retry-After', String(retryAfterSeconds))
}

/** The only place that turns unexpected errors into answers. */
export const problems =
  (log: Logger): Middleware =>
  async (ctx, next) => {
    try {
      await next()
    } catch (error) {
      if (error instanceof RedisUnavailable) return problem(ctx, 'REDIS_UNAVAILABLE')
      const status = error instanceof Error && 'status' in error ? error.status : 500
      if (status === 400) return problem(ctx, 'INVALID', 'the address is not well formed')
      log.error({ err: error, request: ctx.state.requestId }, 'request failed')
      problem(ctx, 'INTERNAL')
    }
    if (ctx.body !== undefined || ctx.state.raw || ctx.method === 'OPTIONS') return
    if (ctx.status === 404) problem(ctx, 'NOT_FOUND')
    else if (ctx.status === 405 || ctx.status === 501) problem(ctx, 'METHOD_NOT_ALLOWED')
  }
