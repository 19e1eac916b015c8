import type { AdapterPayload } from 'oidc-provider'
import type { ClientRegistry } from './client.ts'
import { ownClients } from './clients.ts'
import { isLoginClient } from './login-client.ts'

/**
 * Grants belong to a registration, and not to a client id: an application may be removed, and another one
 * made with its id. Every code, refresh token and use of userinfo looks at a grant, so this one look keeps
 * all of them from the other application.
 */
export interface Registrations {
  /** A grant that is stored for the first time, with the name of its client's registration. */
  named(grant: AdapterPayload): AdapterPayload
  /**
   * Whether the client of a grant is the one that it was made for. Asks Redis too, so a removal counts on
   * nodes that have not heard of it. Rejects with RedisUnavailable.
   */
  counts(grant: AdapterPayload): Promise<boolean>
}

const isOurs = (clientId: string): boolean => ownClients.includes(clientId) || isLoginClient(clientId)

export const createRegistrations = (registry: ClientRegistry): Registrations => ({
  named: (grant) => {
    const registration = registry.find(grant.clientId ?? '')?.registration
    return registration === undefined || isOurs(grant.clientId ?? '') ? grant : { ...grant, registration }
  },
  counts: async ({ clientId = '', registration }) => {
    if (isOurs(clientId)) return true
    const client = registry.find(clientId)
    if (!client || client.registration !== registration) return false
    return client.registration === undefined || !(await registry.hasEnded?.(client.registration))
  },
})
