import * as v from 'valibot'
import type { Authenticate, Backend } from '../access/principal.ts'
import type { Scope } from '../access/scopes.ts'
import type { EndCause } from '../login/end-cause.ts'
import { readJson } from '../transport/http/body.ts'
import type { Context } from '../transport/http/context.ts'
import { scoped } from '../transport/http/credentials.ts'
import { problem } from '../transport/http/problem.ts'
import { readStrictly, type Shape } from '../transport/http/shape.ts'
import { Sub, shapes } from './account-request.ts'

/** One call of an administrator that is about a person. */
export interface PersonCall {
  sub: string
  who: Backend
  /** Who does it, for the audit. */
  cause: EndCause
}

/** Who does it, for the audit. */
export const causeOf = (ctx: Context, { name: key }: Pick<Backend, 'name'>): EndCause => ({
  ...{ by: 'backend', key, ip: ctx.ip },
})

/** Reads the query, or answers what is wrong with it. */
export const queryOf = <T>(ctx: Context, shape: Shape<T>): T | undefined => {
  const query = readStrictly(shape, ctx.query, 'parameter')
  if (query.ok) return query.value
  problem(ctx, 'INVALID', query.why)
  return undefined
}

/** Reads the body, or answers what is wrong with it. */
export const bodyOf = async <T>(ctx: Context, shape: Shape<T>, absent?: unknown): Promise<T | undefined> => {
  const body = await readJson(ctx, absent)
  if (!body) return undefined
  const parsed = readStrictly(shape, body.json, 'member')
  if (parsed.ok) return parsed.value
  problem(ctx, 'INVALID', parsed.why)
  return undefined
}

/** Answers that nobody has this id. Only an account that was deleted lately is known to be gone. */
export const noAccount = (ctx: Context): void => problem(ctx, 'NOT_FOUND', 'there is no account with this sub')

/**
 * Makes a route about a person, `/accounts/:sub/…`.
 *
 * @param query  the parameters that it may have. @default none
 */
export const aboutPerson = <T extends object = object>(
  authenticate: Authenticate,
  scope: Scope,
  act: (ctx: Context, call: PersonCall, query: T) => Promise<void>,
  query: Shape<T> = shapes.nothing as unknown as Shape<T>,
): ((ctx: Context) => Promise<void>) =>
  scoped(authenticate, scope, async (ctx, who) => {
    const { sub } = ctx.params
    if (!v.is(Sub, sub)) return problem(ctx, 'INVALID', 'this is no id of a person')
    const asked = queryOf(ctx, query)
    if (asked) await act(ctx, { sub, who, cause: causeOf(ctx, who) }, asked)
  })
