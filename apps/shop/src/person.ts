import type { DefaultState, Middleware } from 'koa'
import * as v from 'valibot'
import type { Bearers } from './bearers.ts'
import { problem } from './problem.ts'

/**
 * A person's name, as the page gives it. It is for other people and authorizes nothing: the token identifies
 * the person.
 */
export const Name = v.pipe(v.string(), v.trim(), v.minLength(1), v.maxLength(40))
/** The page's id for a request. A repeated request with the same id is processed once. */
export const Id = v.pipe(v.string(), v.regex(/^[A-Za-z0-9-]{8,64}$/))

export interface PersonState extends DefaultState {
  /** Id of the requesting person. */
  user: string
}
export type SignedIn = Middleware<PersonState>

const BEARER = /^Bearer (\S{1,4096})$/i

/** Admits requests with an access token of a login, and puts the person's id into `ctx.state.user`. */
export const signedIn =
  (bearers: Bearers): SignedIn =>
  async (ctx, next) => {
    const [, token] = BEARER.exec(ctx.get('Authorization')) ?? []
    const bearer = token ? await bearers.verify(token) : { kind: 'nobody' as const }
    if (bearer.kind === 'unavailable') return problem(ctx, 'UNAVAILABLE')
    if (bearer.kind === 'nobody') return problem(ctx, 'UNAUTHORIZED')
    ctx.state.user = bearer.user
    return next()
  }
