import { bearerOf, type Verifier } from '@saoma/client/server'
import type { DefaultState, Middleware } from 'koa'
import * as v from 'valibot'
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

/**
 * Admits requests with an access token of a login, and puts the person's id into `ctx.state.user`. Without
 * Saoma's keys no token can be judged: that is the shop's problem, and not the person's.
 */
export const signedIn =
  (verifier: Verifier): SignedIn =>
  async (ctx, next) => {
    const verified = await verifier.verify(bearerOf(ctx.get('Authorization')))
    if (!verified.ok) return problem(ctx, verified.status === 503 ? 'UNAVAILABLE' : 'UNAUTHORIZED')
    ctx.state.user = verified.value.sub
    return next()
  }
