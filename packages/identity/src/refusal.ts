import type { Refused } from '@saoma/accounts'
import { codes } from '@saoma/protocol'
import { errors, type KoaContextWithOIDC } from './oidc-provider.ts'
import type { RequestState } from './request-state.ts'
import { tooMany } from './too-many.ts'

/**
 * The OAuth error for a person who gets no token. It leaves the code of the protocol in the request's state,
 * because OAuth has no error for that.
 */
export const refusalOf = (ctx: KoaContextWithOIDC, refused: Refused): Error => {
  if (refused.why === 'RATE_LIMITED') return tooMany(ctx, refused.waitSeconds)
  const { status, say } = codes[refused.why]
  const error = status < 500 ? new errors.AccessDenied(say.en) : new errors.TemporarilyUnavailable(say.en)
  const state = ctx.state as RequestState
  const { detail, reason } = refused.why === 'ACCOUNT_REFUSED' ? refused : {}
  state.refusal = { code: refused.why, ...(detail === undefined ? {} : { detail }) }
  // The provider keeps this member from the client.
  return Object.assign(error, { status, statusCode: status, ...(reason === undefined ? {} : { error_detail: reason }) })
}

/** Adds the members of a problem (RFC 9457) to OAuth's error, if the request was refused by `refusalOf`. */
export const addProblem = (ctx: KoaContextWithOIDC): void => {
  const { refusal } = ctx.state as RequestState
  // A person is shown a page.
  if (!refusal || ctx.status < 400 || typeof ctx.body !== 'object') return
  const { status, react, say } = codes[refusal.code]
  if (status >= 500) ctx.set('Retry-After', '2')
  ctx.body = { ...(ctx.body as object), type: 'about:blank', title: say.en, status, ...refusal, react }
}
