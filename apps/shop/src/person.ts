import type { DefaultState, Middleware } from 'koa'
import * as v from 'valibot'
import type { Bearers } from './bearers.ts'
import { problem } from './problem.ts'

/**
 * What a page calls the person. It is for others to read and decides nothing; who somebody is, their token
 * says.
 */
export const Name = v.pipe(v.string(), v.trim(), v.minLength(1), v.maxLength(40))
/** What a page calls one of its requests, so that it can be sent again without being done again. */
export const Id = v.pipe(v.string(), v.regex(/^[A-Za-z0-9-]{8,64}$/))

export interface PersonState extends DefaultState {
  /** Id of the person who asks. */
  user: string
}
export type SignedIn = Middleware<PersonState>

const BEARER = /^Bearer (\S{1,4096})$/i

/** Lets on whoever has a token of a login, and puts their id into `ctx.state.user`. */
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
