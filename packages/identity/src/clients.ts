import { DEVICE_CODE_GRANT, TOKEN_EXCHANGE_GRANT, WX_CODE_GRANT } from '@saoma/protocol'
import type { ClientMetadata } from 'oidc-provider'

export const ACCESS_TOKEN_SECONDS: number = 10 * 60
/** How long a browser that is not used stays logged in for applications. */
export const SESSION_OF_BROWSER_SECONDS: number = 14 * 24 * 60 * 60
/** Without it there is no id token, and no userinfo. */
export const IDENTITY_SCOPE = 'openid'
/**
 * Scopes that a client has to ask for. `phone` is that of OpenID Connect Core, section 5.4. `business` gives
 * the business's own claims. It is no part of `profile`, because applications of others ask for that as a
 * matter of course, and a level or a contract is not a name.
 */
const PHONE_SCOPE = 'phone'
const BUSINESS_SCOPE = 'business'
/** Scopes that give claims of the person. */
const PERSON_SCOPES: readonly string[] = ['profile', PHONE_SCOPE, BUSINESS_SCOPE]
export const SCOPES: readonly string[] = [IDENTITY_SCOPE, ...PERSON_SCOPES, 'offline_access']

/** Which claims a scope gives. `own` are the business's. */
export const claimsByScope = (own: readonly string[] = []): Record<string, string[]> => ({
  [IDENTITY_SCOPE]: ['sub', 'sid', 'acr', 'amr', 'auth_time'],
  profile: ['name', 'picture', 'locale'],
  [PHONE_SCOPE]: ['phone_number', 'phone_number_verified'],
  [BUSINESS_SCOPE]: [...own],
})

/** The claims that these scopes give. */
export const claimsOf = (scopes: readonly string[], own?: readonly string[]): string[] => {
  const byScope = claimsByScope(own)
  return scopes.flatMap((scope) => byScope[scope] ?? [])
}

/**
 * The client that decides about logins. Its tokens are valid for this cluster only: a backend that checks the
 * audience of its own users' tokens refuses them.
 */
export const PHONE_CLIENT = 'phone'
export const phoneAudience = (origin: string): string => `${origin}/v1`

const publicClient = (
  client_id: string,
  client_name: string,
  grant_types: readonly string[],
  scope: string,
): ClientMetadata => ({
  client_id,
  client_name,
  token_endpoint_auth_method: 'none',
  grant_types: [...grant_types],
  response_types: [],
  redirect_uris: [],
  id_token_signed_response_alg: 'ES256',
  scope,
})

/** Browsers on pages of the operator. */
export const WEB_CLIENT = 'web'
/** The clients that are always there. No application may have one of these ids. */
export const ownClients: readonly string[] = [WEB_CLIENT, PHONE_CLIENT, 'miniprogram']

/**
 * The clients that may request tokens: a browser; the phone, which decides about logins; and the mini-program
 * as an application of its own. The mini-program's tokens are for channels and for the business's backends,
 * like a browser's.
 *
 * @param hasApps  whether the company's own apps may be phones
 */
export const clientsOf = (appName: string, hasApps = false): ClientMetadata[] => [
  publicClient(WEB_CLIENT, appName, [DEVICE_CODE_GRANT, 'refresh_token'], SCOPES.join(' ')),
  publicClient(
    PHONE_CLIENT,
    `${appName} on the phone`,
    [WX_CODE_GRANT, ...(hasApps ? [TOKEN_EXCHANGE_GRANT] : [])],
    IDENTITY_SCOPE,
  ),
  publicClient('miniprogram', `${appName} in WeChat`, [WX_CODE_GRANT], [IDENTITY_SCOPE, ...PERSON_SCOPES].join(' ')),
]
