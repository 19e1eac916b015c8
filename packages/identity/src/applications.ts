import type { ClientRegistry } from './client.ts'
import { claimsOf, SESSION_OF_BROWSER_SECONDS } from './clients.ts'
import type { Grants } from './grants.ts'
import { BEGUN } from './interaction-records.ts'
import { errors, type KoaContextWithOIDC, type Provider } from './oidc-provider.ts'
import { requestState } from './request-state.ts'
import type { Sessions } from './sessions.ts'
import { writeMeanwhile } from './used-up.ts'
import { wordsOf } from './words.ts'

type Grant = InstanceType<Provider['Grant']>

export interface ApplicationsDeps {
  provider: () => Provider
  registry: ClientRegistry
  grants: Pick<Grants, 'prolong' | 'keep' | 'enter'>
  sessions: Pick<Sessions, 'end' | 'addApplication'>
  /** Draws 22 random characters. */
  newName: () => string
}

/** What a request asks for. */
export interface Asked {
  scopes: readonly string[]
  claims: readonly string[]
  resources: readonly string[]
}

/**
 * The grants of applications: what each may know of the person, in each session.
 *
 * A browser has one session with us. The person has entered it by a login, and enters further applications
 * with it (single sign-on). The provider's session in the browser's cookie has the id of that session as its
 * `uid`. So the tokens of all of its applications name it.
 */
export const createApplications = (
  { provider, registry, grants, sessions, newName }: ApplicationsDeps,
  ownClaims: readonly string[] = [],
) => {
  /** A grant of an application. Its id has the length of a session's id, which refresh tokens begin with. */
  const newGrant = (accountId: string, clientId: string, sessionUid: string): Grant => {
    const { Grant } = provider()
    const grant = new Grant({ accountId, clientId, sessionUid } as ConstructorParameters<typeof Grant>[0])
    grant.jti = newName()
    return grant
  }

  /** Only claims of scopes that the application may have. Else it could ask around its registration. */
  const allowedClaims = (clientId: string, claims: readonly string[]): string[] => {
    const allowed = claimsOf(registry.find(clientId)?.scopes ?? [], ownClaims)
    return claims.filter((claim) => allowed.includes(claim))
  }

  const add = (grant: Grant, clientId: string, { scopes, claims, resources: servers }: Asked): void => {
    if (scopes.length > 0) {
      grant.addOIDCScope([...scopes])
      for (const resource of servers) grant.addResourceScope(resource, [...scopes])
    }
    const allowed = allowedClaims(clientId, claims)
    if (allowed.length > 0) grant.addOIDCClaims(allowed)
    const refused = claims.filter((claim) => !allowed.includes(claim))
    if (refused.length > 0) grant.rejectOIDCClaims(refused)
  }

  /** Whether a grant has all that is asked for, or has refused it. */
  const covers = (grant: Grant, { scopes, claims, resources }: Asked): boolean => {
    const has = (known: readonly string[], wanted: readonly string[]) => wanted.every((word) => known.includes(word))
    return (
      has(wordsOf(grant.getOIDCScopeEncountered()), scopes) &&
      has(grant.getOIDCClaimsEncountered(), claims) &&
      resources.every((resource) => has(wordsOf(grant.getResourceScopeEncountered(resource)), scopes))
    )
  }

  /**
   * A new grant with what another one has, and more. A grant that is stored is never written again: if it
   * were revoked at that moment, it would come back, and with it the tokens that died.
   */
  const extended = (
    found: Grant | undefined,
    [accountId, clientId, sid]: Parameters<typeof newGrant>,
    asked: Asked,
  ) => {
    const grant = newGrant(accountId, clientId, sid)
    if (found) {
      add(grant, clientId, { scopes: wordsOf(found.getOIDCScope()), claims: found.getOIDCClaims(), resources: [] })
      for (const [resource, scope] of Object.entries(found.resources ?? {})) grant.addResourceScope(resource, scope)
    }
    add(grant, clientId, asked)
    return grant
  }

  const askedIn = ({ oidc }: KoaContextWithOIDC): Asked => ({
    scopes: [...oidc.requestParamScopes],
    claims: [...oidc.requestParamClaims],
    resources: Object.keys(oidc.resourceServers ?? {}),
  })

  return {
    extended,
    allowedClaims,

    /**
     * The grant of the application that asks, in the session of this browser. Of the business's own
     * applications nobody is asked. Undefined if the person must be.
     */
    loadGrant: async (ctx: KoaContextWithOIDC): Promise<Grant | undefined> => {
      const { client, session, result, account, params } = ctx.oidc
      if (!client || !session || !account) return undefined
      // While the person was scanning the registration may have changed, or become another one.
      if (typeof params?.redirect_uri === 'string' && !client.redirectUriAllowed(params.redirect_uri))
        throw new errors.InvalidRedirectUri()
      const { accountId } = account
      const { clientId } = client
      const begun = (result?.[BEGUN] as { sid?: string } | undefined)?.sid
      if (begun !== undefined && begun !== session.uid) {
        // Somebody who scans again, because the application wants it, is still in the same session.
        if (requestState()?.entered === session.uid) await sessions.end(accountId, begun)
        else session.uid = begun
      }
      const sid = session.uid
      session.sidFor(clientId, sid)
      const grantId = result?.consent?.grantId ?? session.grantIdFor(clientId)
      const { party, backchannelLogoutUri } = registry.find(clientId) ?? {}
      const isFirstParty = party === 'first'
      const application = { client: clientId, name: client.clientName ?? clientId }
      const { entry } = requestState() ?? {}
      const read = entry?.sid === sid ? entry.text : undefined
      // Before it gets a code. So whatever gets one is told of the end.
      const add = async (): Promise<boolean> =>
        (await sessions.addApplication(accountId, sid, application, read)) &&
        (!backchannelLogoutUri || grants.enter(sid, clientId))
      const [found, isAdded] = await Promise.all([
        grantId === undefined ? undefined : provider().Grant.find(grantId),
        isFirstParty ? add() : undefined,
        writeMeanwhile(async () => void (await grants.prolong(sid, SESSION_OF_BROWSER_SECONDS, ''))),
      ])
      if (!found && !isFirstParty) return undefined
      const [isOpen] = await Promise.all([
        isAdded ?? add(),
        found && grants.keep(found.jti, SESSION_OF_BROWSER_SECONDS),
      ])
      if (!isOpen) throw new errors.AccessDenied('this session was ended')
      if (!isFirstParty) return found
      const asked = askedIn(ctx)
      if (found && covers(found, asked)) return found
      const grant = extended(found, [accountId, clientId, sid], asked)
      await grant.save()
      return grant
    },
  }
}

export type Applications = ReturnType<typeof createApplications>
