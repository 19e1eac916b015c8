import type { IncomingHttpHeaders } from 'node:http'
import type { Accounts } from '@saoma/accounts'
import type { LoginRequest, Result, VerificationDemand } from '@saoma/protocol'
import type { RedisClients } from '@saoma/redis'
import type { ClientRegistry } from './client.ts'
import type { Grants } from './grants.ts'
import type { KnownBrowsers } from './known-browsers.ts'
import type { KoaContextWithOIDC } from './oidc-provider.ts'
import type { Pings } from './pings.ts'
import type { Push } from './push.ts'
import type { RecordForm } from './record-form.ts'
import type { BegunSession, Sessions } from './sessions.ts'
import type { TicketStore } from './ticket-store.ts'
import type { RecogniseApp } from './token-exchange.ts'
import type { TrustedNetworksOptions } from './trusted-networks.ts'
import type { VerifiedToken } from './verify.ts'
import type { Recognise } from './wx-code.ts'

export interface ProviderOptions {
  /**
   * Public origin of the cluster; the issuer is `${origin}/oidc` and the audience of access tokens is the
   * origin itself.
   */
  origin: string
  /** The application's name, which the phone displays. */
  appName: string
  /** Seconds a code may wait for its scan (RFC 8628 `expires_in`). */
  codeSeconds: number
  /** Sign the provider's own cookies. The first one signs, all verify. */
  cookieSecrets: readonly string[]
  /** Whether a request that has an `Origin` may call the token endpoint. */
  admits: (headers: IncomingHttpHeaders) => boolean
  /** What is demanded of a login for a client that does not say it. @default 'tap' */
  verify?: VerificationDemand
  /** Names the network of an address. @default each address is one */
  networkOf?: (address: string) => string
  /** What the server knows of the browser that sends the request. */
  describe: (ctx: KoaContextWithOIDC) => Pick<LoginRequest, 'ip' | 'browser' | 'os'>
  /**
   * Whether a network may have one more authorization request wait for a person. Resolves with the seconds to
   * wait, or with undefined. @default it may
   */
  limitInteractions?: (address: string) => Promise<number | undefined>
  /** Where logins may begin. @default anywhere */
  networks?: TrustedNetworksOptions
  /** Names of the business's own claims, which are given with the scope `business`. @default none */
  ownClaims?: readonly string[]
  /** Turns the phone's `wx.login` code into a person. */
  recognise: Recognise
  /** Turns a token of the company's own app into a person. @default there is no such app */
  recogniseApp?: RecogniseApp
  /** How requests of applications get to people's phones (CIBA). @default applications may send none */
  push?: Push
  /** The address that a ticket's picture shows. @default that of the page `/phone` */
  ticketAddress?: (ticket: string) => string
  /** Called after a session has begun; must not throw. */
  onSessionBegan?: (session: BegunSession) => void
  /** Called when a used refresh token is used again early enough to get the same answer. */
  onRefreshRepeated?: () => void
  /** Called when a refresh is refused because its session has refreshed too often recently. */
  onRefreshLimited?: () => void
  /**
   * Calls an application: logout tokens, and what else the provider fetches. It decides which addresses may
   * be called, bounds the answer, and follows no redirect.
   * @default the provider's own, which refuses addresses that are not public
   */
  fetch?: typeof fetch
  /** Called for every refusal and failure of the OAuth routes, for the log. */
  onError: (ctx: KoaContextWithOIDC, error: Error) => void
}

export interface ProviderDeps {
  redis: RedisClients
  tickets: TicketStore
  accounts: Pick<Accounts, 'of' | 'find'>
  grants: Grants
  sessions: Sessions
  /** The registered applications. */
  registry: ClientRegistry
  /** Verifies an access token of any of our clients. */
  verify: (token: string) => Promise<Result<VerifiedToken>>
  browsers: KnownBrowsers
  /** Tells applications of answers. */
  pings: Pick<Pings, 'await' | 'seal'>
  /** How a refresh token's record is written. */
  refreshTokenForm: RecordForm
}
