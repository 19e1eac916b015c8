import type { RedisClients } from '@saoma/redis'
import { createBrowserSessions, withoutCookie } from './browser-sessions.ts'
import { type ClientRegistry, metadataOf } from './client.ts'
import { createCodes } from './codes.ts'
import type { Grants } from './grants.ts'
import { interactionOf, loginClient } from './login-client.ts'
import type { Adapter, AdapterPayload } from './oidc-provider.ts'
import { createRecords } from './records.ts'
import { rememberedInRequest } from './remembered-grant.ts'
import { createReplayRecords } from './replay-records.ts'

export interface StorageDeps {
  grants: Grants
  registry: ClientRegistry
  deviceCodes: Adapter
  refreshTokens: Adapter
  /** Called before a pushed authorization request is stored. Throws if it may not be. */
  checkPushed: () => void
  /** The client of the authorization request that an interaction belongs to; undefined if that is over. */
  waitingClient: (uid: string) => Promise<unknown>
}

/** Where oidc-provider stores what, by the name of its model. */
export const createStorage = (
  redis: RedisClients,
  { grants, registry, deviceCodes, refreshTokens, checkPushed, waitingClient }: StorageDeps,
): ((model: string) => Adapter) => {
  const findClient = async (id: string): Promise<AdapterPayload | undefined> => {
    const interaction = interactionOf(id)
    const client = registry.find(interaction === undefined ? id : String(await waitingClient(interaction)))
    if (!client) return undefined
    return (interaction === undefined ? metadataOf(client) : loginClient(interaction, client)) as AdapterPayload
  }

  return (model) => {
    const records = createRecords(redis, model)
    switch (model) {
      case 'DeviceCode':
        return deviceCodes
      case 'Grant':
        return rememberedInRequest(grants.adapter, refreshTokens)
      case 'RefreshToken':
        return refreshTokens
      case 'Client':
        return { ...records, find: findClient }
      case 'Session':
        return createBrowserSessions(records, grants)
      case 'AuthorizationCode':
        return createCodes(records, grants)
      case 'ReplayDetection':
        return createReplayRecords(redis, model)
      case 'Interaction':
        return withoutCookie(records)
      case 'PushedAuthorizationRequest':
        return {
          ...records,
          upsert: async (...record) => {
            checkPushed()
            return records.upsert(...record)
          },
        }
      default:
        return records
    }
  }
}
