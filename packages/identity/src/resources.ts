import { ACCESS_TOKEN_SECONDS, PHONE_CLIENT, phoneAudience, SCOPES } from './clients.ts'
import { isLoginClient } from './login-client.ts'
import { errors, type ResourceServer } from './oidc-provider.ts'

/**
 * Whom an access token is for (its `aud`). A token of our own pages is for the whole cluster. A token of an
 * application reads the claims of its person and nothing else: otherwise an application could act as the
 * person in Saoma and at every backend of the business.
 */
export interface Resources {
  /** The audience of a client's tokens, if the client asks for none. */
  usualOf(clientId: string): string
  /** @throws InvalidTarget if the client may not have tokens for it */
  serverOf(resource: string, clientId: string): ResourceServer
}

/** The audience of tokens that read claims. */
export const userinfoAudience = (origin: string): string => `${origin}/oidc/me`
/** The audience of the token with which the page of an interaction shows who has logged in. */
export const loginAudience = (origin: string): string => `${origin}/oidc/interaction`

/**
 * @param isOwn  whether a client is one of our own pages
 * @param isFirstParty  whether a client belongs to the business. It may ask for a token of the whole cluster
 */
export const createResources = (
  origin: string,
  isOwn: (clientId: string) => boolean,
  isFirstParty: (clientId: string) => boolean,
): Resources => {
  const server = (audience: string): ResourceServer => ({
    scope: SCOPES.join(' '),
    audience,
    accessTokenTTL: ACCESS_TOKEN_SECONDS,
    accessTokenFormat: 'jwt',
    jwt: { sign: { alg: 'ES256' } },
  })
  const usualOf = (clientId: string): string => {
    if (isOwn(clientId)) return origin
    return isLoginClient(clientId) ? loginAudience(origin) : userinfoAudience(origin)
  }
  return {
    usualOf,
    serverOf: (resource, clientId) => {
      const isAllowed = resource === usualOf(clientId) || (resource === origin && isFirstParty(clientId))
      if (!isAllowed) throw new errors.InvalidTarget()
      return server(clientId === PHONE_CLIENT ? phoneAudience(origin) : resource)
    },
  }
}
