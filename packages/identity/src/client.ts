import { CIBA_GRANT, DEVICE_CODE_GRANT, type VerificationDemand } from '@saoma/protocol'
import type { ClientMetadata } from 'oidc-provider'
import { hashesOf } from './client-secrets.ts'
import type { SigningAlgorithm } from './signing-keys.ts'

/** What an application may do at the token endpoint. */
export const clientGrants = ['authorization_code', 'refresh_token', DEVICE_CODE_GRANT, CIBA_GRANT] as const
export type ClientGrant = (typeof clientGrants)[number]

/** An application that logs people in through Saoma. */
export interface Client {
  /** Its `client_id`. */
  id: string
  /** What page and phone display. */
  name: string
  /** Address of its picture. */
  logo?: string
  /**
   * `confidential`: it keeps a secret. `public`: it runs where everybody can read it, so PKCE is demanded.
   */
  type: 'public' | 'confidential'
  /** `third`: it belongs to somebody else, so the person is asked what it may know. */
  party: 'first' | 'third'
  /** Where the answer may go, to the letter. */
  redirectUris: readonly string[]
  /** Where a person may be sent after logging out. */
  postLogoutRedirectUris: readonly string[]
  /** Where it is told that a session has ended (OpenID Connect Back-Channel Logout), always with `sid`. */
  backchannelLogoutUri?: string
  /** Where it is told that a person has answered on the phone (CIBA, ping mode). Without it, it polls. */
  notificationEndpoint?: string
  grants: readonly ClientGrant[]
  /** The most that it may ask for. */
  scopes: readonly string[]
  /** Signature of its id tokens. */
  idTokenAlg: SigningAlgorithm
  /** The least by which its people log in. @default that of the cluster */
  verify?: VerificationDemand
  /** SHA-256 of the secret in hex. Only a confidential client has one. */
  secretSha256?: string
  /** Networks from which its logins may begin (CIDR). Without it they begin anywhere. */
  networks?: readonly string[]
  /** Secrets that it has replaced, and until when they stay good (ms since 1970). */
  formerSecrets?: readonly { sha256: string; until: number }[]
  /**
   * Names this registration. Another one with the same id, before it or after it, has another name. So what
   * was given to the one is worth nothing to the other.
   */
  registration?: string
}

/** The registered applications, as they are at the moment. */
export interface ClientRegistry {
  find(id: string): Client | undefined
  /**
   * Whether a registration has ended, as Redis says: this node may not have heard of it. Rejects with
   * RedisUnavailable.
   */
  hasEnded?(registration: string): Promise<boolean>
}

export const noClients: ClientRegistry = { find: () => undefined }

const LOOPBACK = /^http:\/\/(localhost|127\.0\.0\.1|\[::1\])([:/]|$)/

/**
 * Whether a redirect address belongs to a program on the person's machine (RFC 8252): an address of the
 * machine itself, whose port is free, or a scheme of its own.
 */
export const isNative = (uri: string): boolean => LOOPBACK.test(uri) || !/^https?:/.test(uri)

/** The origins of a client's own pages: those of a public client, to which people return. */
export const pageOrigins = ({ type, redirectUris }: Client): string[] =>
  type === 'public'
    ? redirectUris.map((uri) => URL.parse(uri)?.origin ?? 'null').filter((origin) => origin !== 'null')
    : []

/** How a client learns that a person has answered on the phone. */
const deliveryOf = ({ notificationEndpoint }: Client): Partial<ClientMetadata> =>
  notificationEndpoint
    ? {
        backchannel_token_delivery_mode: 'ping',
        backchannel_client_notification_endpoint: notificationEndpoint,
      }
    : { backchannel_token_delivery_mode: 'poll' }

/**
 * A registered client in the words of oidc-provider. The provider knows the hash of the secret only, so it
 * must not use the secret as a key: methods and algorithms that do are turned off.
 */
export const metadataOf = (client: Client): ClientMetadata => ({
  client_id: client.id,
  client_name: client.name,
  ...(client.logo ? { logo_uri: client.logo } : {}),
  application_type: client.type === 'public' && client.redirectUris.some(isNative) ? 'native' : 'web',
  token_endpoint_auth_method: client.type === 'public' ? 'none' : 'client_secret_basic',
  ...(client.secretSha256 ? { client_secret: hashesOf(client) } : {}),
  grant_types: [...client.grants],
  response_types: client.grants.includes('authorization_code') ? ['code'] : [],
  response_modes: ['query', 'form_post'],
  redirect_uris: [...client.redirectUris],
  post_logout_redirect_uris: [...client.postLogoutRedirectUris],
  // A logout token without `sid` would end all of the person's sessions there, also those that go on here.
  ...(client.backchannelLogoutUri
    ? { backchannel_logout_uri: client.backchannelLogoutUri, backchannel_logout_session_required: true }
    : {}),
  ...(client.grants.includes(CIBA_GRANT) ? deliveryOf(client) : {}),
  id_token_signed_response_alg: client.idTokenAlg,
  scope: client.scopes.join(' '),
})
