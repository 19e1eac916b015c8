import type { Accounts } from '@saoma/accounts'
import { fail, ok, type Result } from '@saoma/protocol'
import type { ClientRegistry } from './client.ts'
import { claimsOf, IDENTITY_SCOPE } from './clients.ts'
import type { Grants } from './grants.ts'
import type { VerifiedToken } from './verify.ts'

/** The claims of a person that a token may read (OpenID Connect Core, section 5.3.2). */
export type Userinfo = { sub: string } & Record<string, unknown>

export interface UserinfoDeps {
  accounts: Pick<Accounts, 'find'>
  grants: Pick<Grants, 'hasSession' | 'find'>
  registry: ClientRegistry
}

/**
 * What a token may know of its person, as the account says it now. Fails with SCOPE_MISSING, REVOKED or
 * ACCOUNT_DISABLED. Rejects with RedisUnavailable.
 *
 * The provider's own route is for opaque access tokens, and refuses those that have an audience. So it is not
 * served. The feature is on, because the parameter `claims` may then name claims of userinfo.
 *
 * @param ownClaims  names of the business's own claims
 */
export const readUserinfo = async (
  { accounts, grants, registry }: UserinfoDeps,
  { sub, sid, clientId, scope, grant }: VerifiedToken,
  ownClaims: readonly string[] = [],
): Promise<Result<Userinfo>> => {
  const scopes = scope.split(' ')
  if (!scopes.includes(IDENTITY_SCOPE)) return fail('SCOPE_MISSING')
  const [account, granted, isOpen] = await Promise.all([
    accounts.find(sub),
    grant === undefined ? undefined : grants.find(grant, sid),
    sid === undefined || grants.hasSession(sid),
  ])
  // Of a disabled account all sessions are ended, too. Its state says more.
  if (account?.state === 'disabled') return fail('ACCOUNT_DISABLED')
  if (account?.state !== 'active' || !isOpen || (grant !== undefined && !granted)) return fail('REVOKED')
  // What `openid` gives is about the login, and stands in the id token.
  const byScopes = claimsOf(
    scopes.filter((name) => name !== IDENTITY_SCOPE),
    ownClaims,
  )
  // An application may also have asked for single claims (the parameter `claims`).
  const { claims: single = [] } = (granted?.openid ?? {}) as { claims?: string[] }
  const allowed = claimsOf(registry.find(clientId)?.scopes ?? [], ownClaims)
  const names = [...byScopes, ...single.filter((name) => allowed.includes(name))]
  const claims = account.claims as Record<string, unknown>
  return ok({ ...Object.fromEntries(names.flatMap((name) => (name in claims ? [[name, claims[name]]] : []))), sub })
}
