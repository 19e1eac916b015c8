import type { Accounts } from '@saoma/accounts'
import type { Result } from '@saoma/protocol'
import { decodeJwt } from 'jose'
import type { ClientRegistry } from './client.ts'
import type { Grants } from './grants.ts'
import type { Configuration, KoaContextWithOIDC } from './oidc-provider.ts'
import { answerFailure } from './refusals.ts'
import type { VerifiedToken } from './verify.ts'

/*
 * Introspection (RFC 7662) and revocation (RFC 7009) of access tokens. The provider does both for refresh
 * tokens. Our access tokens are JWTs, of which it stores nothing: when it has authenticated the client, it
 * says that it does not support them. Then this answers.
 */

export interface StructuredTokensDeps {
  registry: ClientRegistry
  grants: Pick<Grants, 'adapter' | 'hasSession' | 'find'>
  accounts: Pick<Accounts, 'find'>
  verify: (token: string) => Promise<Result<VerifiedToken>>
  /** The audience of the business's own backends. */
  audience: string
  onError: (ctx: KoaContextWithOIDC, error: Error) => void
}

type Features = NonNullable<Configuration['features']>

/** Of refresh tokens a client sees its own. One without a secret has not shown who it is, and sees none. */
export const introspectionFeature = () =>
  ({
    enabled: true,
    allowedPolicy: (_ctx, client, token) =>
      client.tokenEndpointAuthMethod !== 'none' && token.clientId === client.clientId,
  }) as const satisfies Features['introspection']

const INACTIVE = { active: false }

export const createStructuredTokens = (deps: StructuredTokensDeps) => {
  const { registry, grants, accounts, verify, audience, onError } = deps

  /**
   * Whether a client may know of a token. A confidential one may know of its own. One of the business may
   * also know of those that are for the business's backends: it may be such a backend.
   */
  const maySee = (clientId: string, token: VerifiedToken): boolean => {
    const { type, party } = registry.find(clientId) ?? {}
    if (type !== 'confidential') return false
    return token.clientId === clientId || (party === 'first' && token.audience === audience)
  }

  /** Whether the session, the grant and the account of a token are there. */
  const isLive = async ({ sub, sid, grant }: VerifiedToken): Promise<boolean> => {
    const [account, isOpen, granted] = await Promise.all([
      accounts.find(sub),
      sid === undefined || grants.hasSession(sid),
      grant === undefined || grants.find(grant, sid),
    ])
    return account?.state === 'active' && isOpen && granted !== undefined
  }

  const introspect = async (text: string, clientId: string): Promise<object> => {
    const token = await verify(text)
    if (!token.ok || !maySee(clientId, token.value) || !(await isLive(token.value))) return INACTIVE
    const { iss, iat, jti } = decodeJwt(text)
    const { sub, sid, exp, scope, jkt } = token.value
    return {
      ...{ active: true, iss, sub, aud: token.value.audience, client_id: token.value.clientId, scope },
      ...{ iat, exp, jti, ...(sid === undefined ? {} : { sid }) },
      ...(jkt === undefined ? { token_type: 'Bearer' } : { token_type: 'DPoP', cnf: { jkt } }),
    }
  }

  /**
   * Revokes what a token stands for: the application's grant, or the session of our own page. Resolves with
   * false for a token that stands for none: it cannot be revoked.
   */
  const revoke = async (text: string, clientId: string): Promise<boolean> => {
    const token = await verify(text)
    // To somebody else's token, and to one that is over, the answer is the same (RFC 7009, section 2.2).
    if (!token.ok || token.value.clientId !== clientId) return true
    const { grant, sid } = token.value
    const what = grant ?? sid
    if (what !== undefined) await grants.adapter.destroy(what)
    return what !== undefined
  }

  return {
    /** Answers for a token that the provider does not support. Other answers stay as they are. */
    answer: async (ctx: KoaContextWithOIDC): Promise<void> => {
      const { path, body } = ctx
      if (path !== '/token/introspection' && path !== '/token/revocation') return
      const { client, params } = ctx.oidc ?? {}
      if ((body as { error?: string } | undefined)?.error !== 'unsupported_token_type' || !client) return
      const token = String(params?.token)
      try {
        if (path === '/token/introspection') ctx.body = await introspect(token, client.clientId)
        else if (await revoke(token, client.clientId)) ctx.body = ''
        else return
        ctx.status = 200
      } catch (error) {
        answerFailure(ctx, error, onError)
      }
    },
  }
}
