import type { Accounts } from '@saoma/accounts'
import { fail, ok, type Result } from '@saoma/protocol'
import { claimsByScope, IDENTITY_SCOPE } from './clients.ts'
import type { Grants } from './grants.ts'
import type { Bearer } from './verify.ts'

/** The claims of a person that a token may read (OpenID Connect Core, section 5.3.2). */
export type Userinfo = { sub: string } & Record<string, unknown>

/**
 * What a token may know of its person, as the account says it now. Fails with SCOPE_MISSING, REVOKED or
 * ACCOUNT_DISABLED. Rejects with RedisUnavailable.
 *
 * The provider's own route is for opaque access tokens: it refuses those that have an audience, and to turn
 * it on changes which tokens the provider issues. So it stays off.
 *
 * @param ownClaims  names of the business's own claims
 */
export const readUserinfo = async (
  { accounts, grants }: { accounts: Pick<Accounts, 'find'>; grants: Pick<Grants, 'hasSession'> },
  { sub, sid, scope }: Bearer,
  ownClaims: readonly string[] = [],
): Promise<Result<Userinfo>> => {
  const scopes = scope.split(' ')
  if (!scopes.includes(IDENTITY_SCOPE)) return fail('SCOPE_MISSING')
  const [account, isOpen] = await Promise.all([accounts.find(sub), sid === undefined || grants.hasSession(sid)])
  // Of a disabled account all sessions are ended, too. Its state says more.
  if (account?.state === 'disabled') return fail('ACCOUNT_DISABLED')
  if (account?.state !== 'active' || !isOpen) return fail('REVOKED')
  const byScope = claimsByScope(ownClaims)
  // What `openid` gives is about the login, and stands in the id token.
  const names = scopes.flatMap((name) => (name === IDENTITY_SCOPE ? [] : (byScope[name] ?? [])))
  const claims = account.claims as Record<string, unknown>
  return ok({ ...Object.fromEntries(names.flatMap((name) => (name in claims ? [[name, claims[name]]] : []))), sub })
}
