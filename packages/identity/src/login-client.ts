import { DEVICE_CODE_GRANT, type VerificationDemand } from '@saoma/protocol'
import type { ClientMetadata } from 'oidc-provider'
import { IDENTITY_SCOPE } from './clients.ts'

/*
 * The page of an interaction logs in by a device authorization, like any page. Its client exists for this one
 * interaction: the id of the client names the interaction. So a code, its picture, its tokens and what the
 * phone displays belong to that interaction and to no other.
 */

const PREFIX = 'login:'
const ID = /^login:([A-Za-z0-9_-]{16,64})$/

export const loginClientOf = (interaction: string): string => `${PREFIX}${interaction}`
/** The interaction of such a client; undefined for every other client. */
export const interactionOf = (clientId: string): string | undefined => ID.exec(clientId)?.[1]
export const isLoginClient = (clientId: string): boolean => clientId.startsWith(PREFIX)

/** The name of the member in which a login client names its application. */
export const APPLICATION = 'application'
/** The name of the member that says what is demanded of the login. */
export const DEMAND = 'demand'

/** @param application  the client for which the person logs in */
export const loginClient = (
  interaction: string,
  application: { id: string; name: string },
  demand: VerificationDemand,
): ClientMetadata => ({
  client_id: loginClientOf(interaction),
  client_name: application.name,
  [APPLICATION]: application.id,
  [DEMAND]: demand,
  token_endpoint_auth_method: 'none',
  grant_types: [DEVICE_CODE_GRANT],
  response_types: [],
  redirect_uris: [],
  id_token_signed_response_alg: 'ES256',
  scope: IDENTITY_SCOPE,
})
