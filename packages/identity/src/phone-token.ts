import { IDENTITY_SCOPE } from './clients.ts'
import { errors, type KoaContextWithOIDC, type ResourceServer } from './oidc-provider.ts'

/** The scopes that the request asks for. Throws `invalid_scope` if its client may not have one of them. */
export const scopesOf = ({ oidc: { client, params } }: KoaContextWithOIDC): string[] => {
  const scopes = String(params?.scope ?? IDENTITY_SCOPE).split(' ')
  const allowed = client?.scope?.split(' ') ?? []
  const refused = scopes.find((name) => !allowed.includes(name))
  if (refused !== undefined) throw new errors.InvalidScope('this client may not have this scope', refused)
  return scopes
}

export interface PhoneToken {
  sub: string
  /** The grant by which it was got, for the provider's record. */
  gty: string
  scopes: readonly string[]
  /** Whom it is for. */
  resource: string
  serverOf: (clientId: string) => ResourceServer
  /** Thumbprint of the key that its bearer has to prove. */
  jkt?: string
}

/**
 * Signs the token of a phone, as members of an answer. It has no grant and no session: it lives ten minutes
 * and cannot be renewed.
 */
export const signPhoneToken = async (
  ctx: KoaContextWithOIDC,
  { sub, gty, scopes, resource, serverOf, jkt }: PhoneToken,
): Promise<{ access_token: string; token_type: string; expires_in: number; scope: string }> => {
  const { provider, client } = ctx.oidc
  if (!client) throw new errors.InvalidClient()
  const token = new provider.AccessToken({ accountId: sub, client, grantId: '', gty, scope: scopes.join(' ') })
  token.resourceServer = new provider.ResourceServer(resource, serverOf(client.clientId))
  if (jkt !== undefined) token.setThumbprint('jkt', jkt)
  ctx.oidc.entity('AccessToken', token)
  return {
    access_token: await token.save(),
    token_type: token.tokenType,
    expires_in: token.expiration,
    scope: scopes.join(' '),
  }
}
