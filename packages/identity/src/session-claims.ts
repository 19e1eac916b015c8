import { isLoginClient } from './login-client.ts'
import type { Configuration, Provider } from './oidc-provider.ts'

/**
 * Which session a token belongs to (`sid`), and how its login was verified (`acr`: RFC 9068, section 2.2.1).
 * A session of our own pages is a grant. The grant of an application depends on a session, so its tokens name
 * both. The token of a login client also says when the person logged in: it finishes an interaction.
 */
export const sessionClaims: NonNullable<Configuration['extraTokenClaims']> = (ctx, token) => {
  const { grantId, sessionUid, clientId = '' } = token as { grantId?: string; sessionUid?: string; clientId?: string }
  if (!grantId) return undefined
  const { DeviceCode, BackchannelAuthenticationRequest, AuthorizationCode, RefreshToken } = ctx.oidc.entities
  const code = DeviceCode ?? BackchannelAuthenticationRequest
  const acr = (code ?? AuthorizationCode ?? RefreshToken)?.acr
  const how = acr === undefined ? {} : { acr }
  if (sessionUid) return { sid: sessionUid, grant: grantId, ...how }
  if (!code || !isLoginClient(clientId)) return { sid: grantId, ...how }
  return { sid: grantId, auth_time: code.authTime, acr: code.acr, amr: code.amr }
}

/** The parts of the provider's models that its types leave out. */
interface Models {
  Grant: { IN_PAYLOAD: readonly string[] }
  Client: { prototype: { includeSid(): boolean } }
}

/**
 * Makes the provider store with a grant which session it depends on, and name the session in every id token.
 * It would name it only to clients that it tells of a logout.
 */
export const nameSessions = (provider: Provider): void => {
  const { Grant, Client } = provider as unknown as Models
  const names = [...Grant.IN_PAYLOAD, 'sessionUid']
  Object.defineProperty(Grant, 'IN_PAYLOAD', { value: names })
  Client.prototype.includeSid = () => true
}
