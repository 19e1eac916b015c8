import type { KeyProof } from '@saoma/identity'
import { fail, LONGEST_TOKEN, type Result } from '@saoma/protocol'
import { API_KEY_PREFIX } from '../../access/api-keys.ts'
import type { Authenticate, Backend, Principal } from '../../access/principal.ts'
import type { Scope } from '../../access/scopes.ts'
import type { Context } from './context.ts'
import { TooManyHeld } from './held-requests.ts'
import { problem, tooMany } from './problem.ts'

/** When to retry after too many held requests: by then some of them have been answered. */
const RETRY_SECONDS = 5

const BEARER = new RegExp(`^Bearer ([\\x21-\\x7e]{1,${LONGEST_TOKEN}})$`, 'i')
export const bearer = (ctx: Context): string | undefined => BEARER.exec(ctx.get('Authorization'))?.[1]

const BOUND = new RegExp(`^DPoP ([\\x21-\\x7e]{1,${LONGEST_TOKEN}})$`, 'i')
/** A token that its sender proves to have the key of (RFC 9449). The proof is in the header `DPoP`. */
const boundToken = (ctx: Context): string | undefined => BOUND.exec(ctx.get('Authorization'))?.[1]

/** The token of a request, and the proof of its key if it comes with the scheme `DPoP`. */
export const presented = (ctx: Context): { token: string | undefined; proof?: KeyProof } => {
  const bound = boundToken(ctx)
  if (bound === undefined) return { token: bearer(ctx) }
  const { method, path, state } = ctx
  return { token: bound, proof: { jwt: ctx.get('DPoP'), method, url: `${state.origin}${path}` } }
}

export const bearsApiKey = (ctx: Context): boolean => bearer(ctx)?.startsWith(API_KEY_PREFIX) ?? false

/** The caller, by the bearer token. It is resolved once per request. */
export const callerOf = async (ctx: Context, authenticate: Authenticate): Promise<Result<Principal>> => {
  ctx.state.caller ??= await recognise(ctx, authenticate)
  return ctx.state.caller
}

const recognise = async (ctx: Context, authenticate: Authenticate): Promise<Result<Principal>> => {
  const { token, proof } = presented(ctx)
  const who = token ? await authenticate(token, ctx.ip, proof) : fail('UNAUTHORIZED')
  // It tells the operator whose calls are refused. The name of a key is no secret.
  if (who.ok && who.value.kind === 'backend') ctx.state.key = who.value.name
  return who
}

/** Makes a route for authenticated callers. */
export const authenticated =
  (authenticate: Authenticate, act: (ctx: Context, who: Principal) => Promise<void>) =>
  async (ctx: Context): Promise<void> => {
    ctx.state.routine = true
    const who = await callerOf(ctx, authenticate)
    if (!who.ok) return problem(ctx, who.code, who.detail)
    if (who.value.kind === 'backend') ctx.state.callerNow = () => authenticate(bearer(ctx) ?? '', ctx.ip)
    try {
      await act(ctx, who.value)
    } catch (error) {
      if (!(error instanceof TooManyHeld)) throw error
      tooMany(ctx, RETRY_SECONDS)
    }
  }

/** Makes a route for API keys that have a scope. */
export const scoped = (
  authenticate: Authenticate,
  scope: Scope,
  act: (ctx: Context, who: Backend) => Promise<void>,
): ((ctx: Context) => Promise<void>) =>
  authenticated(authenticate, async (ctx, who) => {
    if (who.kind !== 'backend' || !who.scopes.includes(scope))
      return problem(ctx, 'SCOPE_MISSING', `this needs an API key with the scope ${scope}`)
    ctx.state.isAct = ctx.method !== 'GET'
    await act(ctx, who)
  })
