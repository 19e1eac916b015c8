import type { VerificationDemand } from '@saoma/protocol'
import type { RedisClients } from '@saoma/redis'
import { createBrowserSessions } from './browser-sessions.ts'
import { type ClientRegistry, metadataOf } from './client.ts'
import { createCodes } from './codes.ts'
import type { Grants } from './grants.ts'
import { createInteractionRecords } from './interaction-records.ts'
import { interactionOf, loginClient } from './login-client.ts'
import type { Adapter, AdapterPayload } from './oidc-provider.ts'
import { PUSHED } from './pushed-request.ts'
import { createPushedRequests } from './pushed-requests.ts'
import { createRecords } from './records.ts'
import { withinRegistration } from './registered-scopes.ts'
import { rememberedInRequest } from './remembered-grant.ts'
import { createReplayRecords } from './replay-records.ts'
import { requestState } from './request-state.ts'
import { writingMeanwhile } from './used-up.ts'
import { askedIn, demandFor } from './verification.ts'

export interface StorageDeps {
  grants: Grants
  registry: ClientRegistry
  deviceCodes: Adapter
  /** Requests that applications send to phones, if they may. */
  pushedLogins?: Adapter
  refreshTokens: Adapter
  /** Called before a pushed authorization request is stored. Throws if it may not be. */
  checkPushed: () => void
  /** The parameters of an interaction's authorization request; undefined if that is over. */
  waitingRequest: (uid: string) => Promise<WaitingRequest | undefined>
  /** What is demanded of a login for a client. */
  demandOf: (clientId: string) => VerificationDemand
  /** Rejects if the network of the request has too many others that wait for a person. */
  admit: () => Promise<void>
  /** Begins to read an account for the present request. */
  readAccount: (sub: string) => void
  /** The same, and the entry of a session. */
  readAhead: (sub: string, sid: string | undefined) => void
  /** Begins to read the device code that the present request redeems, if it does. */
  expectCode: () => void
  /** Names of the business's own claims. */
  ownClaims: readonly string[] | undefined
}

export interface WaitingRequest {
  client_id?: unknown
  acr_values?: unknown
  claims?: unknown
}

/** Where oidc-provider stores what, by the name of its model. */
export const createStorage = (
  redis: RedisClients,
  {
    grants,
    registry,
    deviceCodes,
    pushedLogins,
    refreshTokens,
    checkPushed,
    waitingRequest,
    demandOf,
    admit,
    readAccount,
    readAhead,
    expectCode,
    ownClaims,
  }: StorageDeps,
): ((model: string) => Adapter) => {
  const readClient = async (id: string): Promise<AdapterPayload | undefined> => {
    const interaction = interactionOf(id)
    if (interaction !== undefined) expectCode()
    const request = interaction === undefined ? { client_id: id } : await waitingRequest(interaction)
    const client = registry.find(String(request?.client_id))
    if (!client || !request) return undefined
    if (interaction === undefined) return metadataOf(client) as AdapterPayload
    const demand = demandOf(client.id)
    return loginClient(interaction, client, demandFor(demand, askedIn(request)) ?? demand) as AdapterPayload
  }

  /** The client of a login is made up from its interaction. That is read once for each request. */
  const findClient = (id: string): Promise<AdapterPayload | undefined> => {
    const state = requestState()
    if (state?.client?.id === id) return state.client.found
    const found = readClient(id)
    if (state) state.client = { id, found }
    return found
  }

  return (model) => {
    const records = createRecords(redis, model)
    switch (model) {
      case 'DeviceCode':
        return deviceCodes
      case PUSHED:
        return pushedLogins ?? records
      case 'Grant':
        return writingMeanwhile(
          withinRegistration(rememberedInRequest(grants.adapter, refreshTokens), registry, ownClaims),
        )
      case 'RefreshToken':
        return refreshTokens
      case 'Client':
        return { ...records, find: findClient }
      case 'Session':
        return writingMeanwhile(createBrowserSessions(records, grants))
      case 'AuthorizationCode':
        return writingMeanwhile(createCodes(records, grants, readAccount))
      case 'ReplayDetection':
        return createReplayRecords(redis, model)
      case 'Interaction':
        return createInteractionRecords(records, readAhead)
      case 'PushedAuthorizationRequest':
        return createPushedRequests(records, checkPushed, admit)
      default:
        return records
    }
  }
}
