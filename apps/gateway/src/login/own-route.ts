import type { Authenticate, Person } from '../access/principal.ts'
import type { Context } from '../transport/http/context.ts'
import { authenticated } from '../transport/http/credentials.ts'
import { problem, tooMany } from '../transport/http/problem.ts'
import type { Limits } from '../transport/limits.ts'

export interface OwnRouteDeps {
  authenticate: Authenticate
  limits: Limits
}

/**
 * Makes routes for bearers of Saoma's own tokens. A backend, or the bearer of a business's token, has no
 * logins here.
 */
export const ownRoute =
  ({ authenticate, limits }: OwnRouteDeps) =>
  (act: (ctx: Context, who: Person) => Promise<void>): ((ctx: Context) => Promise<void>) =>
    authenticated(authenticate, async (ctx, who) => {
      if (who.kind !== 'person' || who.issuer !== 'saoma') return problem(ctx, 'FORBIDDEN')
      const slow = await limits.decisions(who.user)
      return slow ? tooMany(ctx, slow.retryAfterSeconds) : act(ctx, who)
    })
