import { DEVICE_CODE_GRANT, WX_CODE_GRANT } from '@saoma/protocol'
import type { ClientMetadata } from 'oidc-provider'

export const ACCESS_TOKEN_SECONDS: number = 10 * 60
export const SCOPE = 'openid profile offline_access'
/** Gives the claim `phone_number` (OpenID Connect Core, section 5.4). A client has to ask for it. */
const PHONE_SCOPE = 'phone'
export const SCOPES: readonly string[] = [...SCOPE.split(' '), PHONE_SCOPE]

/** Which claims a scope gives. `own` are the business's. */
export const claimsByScope = (own: readonly string[] = []): Record<string, string[]> => ({
  openid: ['sub', 'sid', 'acr', 'auth_time'],
  profile: ['name', 'picture', 'locale', ...own],
  [PHONE_SCOPE]: ['phone_number'],
})

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

/**
 * The clients that may request tokens: a browser; the phone, which decides about logins; and the mini-program
 * as an application of its own. The mini-program's tokens are for channels and for the business's backends,
 * like a browser's.
 */
export const clientsOf = (appName: string): ClientMetadata[] => [
  publicClient('web', appName, [DEVICE_CODE_GRANT, 'refresh_token'], SCOPES.join(' ')),
  publicClient(PHONE_CLIENT, `${appName} on the phone`, [WX_CODE_GRANT], 'openid'),
  publicClient('miniprogram', `${appName} in WeChat`, [WX_CODE_GRANT], 'openid'),
]
