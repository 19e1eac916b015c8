import type { ClientRegistry } from './client.ts'
import { claimsOf } from './clients.ts'
import type { Adapter, AdapterPayload } from './oidc-provider.ts'
import { wordsOf } from './words.ts'

/** A grant without what its application may not ask for. */
const within = (grant: AdapterPayload, scopes: readonly string[], ownClaims: readonly string[]): AdapterPayload => {
  const { openid, resources } = grant as {
    openid?: { scope?: string; claims?: string[] }
    resources?: Record<string, string>
  }
  const { scope, claims } = openid ?? {}
  const given = claimsOf(scopes, ownClaims)
  const only = (words: string): string =>
    wordsOf(words)
      .filter((word) => scopes.includes(word))
      .join(' ')
  const limited = Object.entries(resources ?? {}).map(([resource, words]) => [resource, only(words)])
  return {
    ...grant,
    ...(openid
      ? {
          openid: {
            ...(scope === undefined ? {} : { scope: only(scope) }),
            ...(claims ? { claims: claims.filter((claim) => given.includes(claim)) } : {}),
          },
        }
      : {}),
    ...(resources ? { resources: Object.fromEntries(limited) } : {}),
  }
}

/**
 * A grant says what its application got once. If the administrator takes a scope away, it gives no more than
 * is registered now, from the next token on. Single claims (the parameter `claims`) go with their scope.
 *
 * @param ownClaims  names of the business's own claims
 */
export const withinRegistration = (
  grants: Adapter,
  registry: ClientRegistry,
  ownClaims: readonly string[] = [],
): Adapter => ({
  ...grants,
  find: async (id) => {
    const grant = await grants.find(id)
    const client = grant && registry.find(grant.clientId ?? '')
    return client ? within(grant, client.scopes, ownClaims) : grant
  },
})
