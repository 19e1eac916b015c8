import type { ClientRegistry } from './client.ts'
import type { Adapter, AdapterPayload } from './oidc-provider.ts'

/** A grant without what its application may not ask for. */
const within = (grant: AdapterPayload, scopes: readonly string[]): AdapterPayload => {
  const { openid, resources } = grant as { openid?: { scope?: string }; resources?: Record<string, string> }
  const only = (words: string): string =>
    words
      .split(' ')
      .filter((word) => scopes.includes(word))
      .join(' ')
  const limited = Object.entries(resources ?? {}).map(([resource, words]) => [resource, only(words)])
  return {
    ...grant,
    ...(openid?.scope === undefined ? {} : { openid: { ...openid, scope: only(openid.scope) } }),
    ...(resources ? { resources: Object.fromEntries(limited) } : {}),
  }
}

/**
 * A grant says what its application got once. If the administrator takes a scope away, it gives no more than
 * is registered now, from the next token on.
 */
export const withinRegistration = (grants: Adapter, registry: ClientRegistry): Adapter => ({
  ...grants,
  find: async (id) => {
    const grant = await grants.find(id)
    const client = grant && registry.find(grant.clientId ?? '')
    return client ? within(grant, client.scopes) : grant
  },
})
