import Router from '@koa/router'
import type { Identity } from '@saoma/identity'
import { fail } from '@saoma/protocol'
import type { Context, RequestState } from '../transport/http/context.ts'
import { presented } from '../transport/http/credentials.ts'
import { answer, problem } from '../transport/http/problem.ts'

export interface UserinfoRoutesDeps {
  identity: Pick<Identity, 'userinfo'>
}

/**
 * OpenID Connect's userinfo (Core, section 5.3). It takes Saoma's own tokens in the header only: a token in a
 * form or an address ends up in logs. A business's token or an API key is no token of this issuer. A token
 * that is bound to a key comes with the scheme `DPoP` and the proof (RFC 9449).
 */
export const userinfoRoutes = ({ identity }: UserinfoRoutesDeps): Router<RequestState> => {
  const router = new Router<RequestState>({ prefix: '/oidc', sensitive: true })

  const tell = async (ctx: Context): Promise<void> => {
    ctx.state.routine = true
    const { token, proof } = presented(ctx)
    const info = token === undefined ? fail('UNAUTHORIZED') : await identity.userinfo(token, proof)
    if (info.ok) return answer(ctx, info)
    problem(ctx, info.code, info.code === 'SCOPE_MISSING' ? 'this needs a token with the scope openid' : undefined)
    // RFC 6750, section 3.1: a request without a token is told no error.
    if (token === undefined) return
    const scheme = proof === undefined ? 'Bearer' : 'DPoP'
    if (ctx.status === 401) ctx.set('WWW-Authenticate', `${scheme} error="invalid_token"`)
    if (info.code === 'SCOPE_MISSING')
      ctx.set('WWW-Authenticate', `${scheme} error="insufficient_scope", scope="openid"`)
  }
  router.get('/me', tell)
  router.post('/me', tell)

  return router
}
