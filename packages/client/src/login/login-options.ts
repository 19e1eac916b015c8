import type { TicketLink, TokenSet } from '@saoma/protocol'
import type { Transports } from '../core/connection.ts'
import type { Listenable } from '../core/emitter.ts'
import type { Page } from '../core/page.ts'
import type { Binding } from '../core/proof.ts'
import type { Answer, Failure } from '../core/request.ts'
import type { KeyValue } from '../core/storage.ts'
import type { KnownPerson } from './known.ts'
import type { LoginConnection, LoginState } from './login-state.ts'

/** Where people log in, and how. */
export interface LoginOptions {
  /** Saoma's origin, without a path: `https://login.example.com`. */
  origin: string
  /** The OAuth client. @default 'web' */
  clientId?: string
  /** Scopes, with a space between two. @default 'openid profile offline_access' */
  scope?: string
  /**
   * A ticket that is confirmed and belongs to this browser by cookie: pages of WeChat's own long poll return
   * to `${origin}/?ticket=…`. The login redeems it instead of requesting a code. If that is too late, it
   * shows a code as usual.
   */
  ticket?: string
  /**
   * Binds the tokens to a key of this browser; that of the session which gets them. It is read when a code is
   * asked for and when it is redeemed. @default false
   */
  dpop?: Binding | (() => Binding | undefined)
  /**
   * Whether the page displays the `number` of the state `scanned`. Without it the server gives no code where
   * people log in by number. @default false
   */
  showsNumber?: boolean
  /**
   * Whether this browser is remembered when somebody logs in. A function is asked at the login: let the
   * person decide. The next time the page knows who that was (`person`), and can ask the phone (`ask`), so
   * that nothing has to be scanned. @default false: nobody is known
   */
  remembers?: boolean | (() => boolean)
  /** Socket.IO transports, by name or as classes. Empty: long poll only. @default ['websocket'] */
  transports?: Transports
  /** Automatic renewals of the code, so that a forgotten tab does not renew for ever. @default 5 */
  maxRenewals?: number
  fetch?: typeof fetch
  /** Where the device code is stored over a reload. @default sessionStorage */
  storage?: KeyValue
  /** @default the browser's page */
  page?: Page
  /** Returns `[0, 1)`; for the jitter of retries. */
  random?: () => number
}

/** Events of a login. */
export interface LoginEvents {
  state: LoginState
  connection: LoginConnection
  /** Somebody is known here, or nobody any more. */
  person: KnownPerson | undefined
  /** The person is logged in. */
  tokens: TokenSet
  /** Each failed request, also those that are retried. For logs. */
  error: Failure
}

/** A login by code, from the picture to the tokens. It does nothing before `start`. */
export interface Login extends Listenable<LoginEvents> {
  readonly state: LoginState
  readonly connection: LoginConnection
  /**
   * Who has logged in here before, if the page remembers. The event `person` tells when that was read, and
   * when it has changed.
   */
  readonly person: KnownPerson | undefined
  /**
   * Asks the phone of `person`. There is a new code, which anybody may scan as always, and its state says
   * whether the phone was asked (`pushed`): it is not if it was asked three times in ten minutes, or if the
   * person has taken this browser off the list.
   */
  ask(): void
  /** Somebody else is here: forgets `person` in this browser. If the phone was asked, there is a new code. */
  forget(): void
  /**
   * Shows a code: the stored one from before a reload if it is still valid, else a new one. Does nothing
   * while a code is being requested.
   */
  start(): void
  /** Drops the present code and requests a new one. */
  renew(): void
  /**
   * Gets an address that opens the present code in the app on the same phone. Call it only where a person can
   * use it: each call costs the server a call to WeChat. A failure does not affect the code.
   */
  link(): Promise<Answer<TicketLink>>
  /** Stops everything. The present code stays valid, and `start` continues it. */
  close(): void
}
