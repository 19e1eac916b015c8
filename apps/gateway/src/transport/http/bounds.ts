import type { Authenticate } from '../../access/principal.ts'
import type { Limits } from '../limits.ts'
import { largestBody } from './body.ts'
import type { Middleware } from './context.ts'
import { bearsApiKey, callerOf } from './credentials.ts'
import { problem, tooMany } from './problem.ts'

/** More than nginx ever forwards. */
const MOST_DISCARDED = 2 * 1024 * 1024

/** Refuses bodies that are too large, and callers who ask too often. The same at both ports. */
export const bounded =
  ({ authenticate, limits }: { authenticate: Authenticate; limits: Limits }, messageBytes: number): Middleware =>
  async (ctx, next) => {
    // A preflight costs nothing. The request that follows it is counted.
    if (ctx.method === 'OPTIONS') return next()
    ctx.state.largestBody = largestBody(ctx.path, messageBytes)
    const length = Number(ctx.get('Content-Length') || 0)
    if (length > ctx.state.largestBody) {
      // Node reads and discards a body that a proxy forwards: closing the connection in the middle of the
      // body would lose the answer. After a larger body the connection is closed.
      if (length > MOST_DISCARDED) ctx.set('Connection', 'close')
      return problem(ctx, 'TOO_LARGE')
    }
    // All requests of a backend come from one address, so limit them by API key. Verifying a key is cheap.
    // Any other token is too expensive to verify before the limit.
    const key = bearsApiKey(ctx) ? await callerOf(ctx, authenticate) : undefined
    const slow = await (key?.ok && key.value.kind === 'backend' ? limits.keys(key.value.name) : limits.requests(ctx.ip))
    return slow ? tooMany(ctx, slow.retryAfterSeconds) : next()
  }
