import type { EndNotice, TokenSet } from '@saoma/protocol'
import type { Claims } from '../core/claims.ts'
import type { Listenable } from '../core/emitter.ts'
import type { Binding } from '../core/proof.ts'
import type { Answer, Failure } from '../core/request.ts'
import type { KeyValue } from '../core/storage.ts'

/** Whose tokens a session refreshes, and where they are stored. */
export interface SessionOptions {
  /** Saoma's origin, without a path. */
  origin: string
  /** The OAuth client that the tokens were issued to. @default 'web' */
  clientId?: string
  /** @default the global one */
  fetch?: typeof fetch
  /**
   * Where the tokens are stored. In `localStorage` a login survives a restart of the browser and is shared by
   * its tabs, but every script on your page can read it. Refresh tokens rotate, which limits the damage but
   * does not prevent it. Pass `sessionStorage` for one tab only, or `createMemoryStorage()` to store nothing.
   * @default localStorage
   */
  storage?: KeyValue
  /**
   * Binds the tokens to a key of this browser (RFC 9449). The key is kept in IndexedDB, and no script can
   * read it: tokens that are copied are worth nothing elsewhere. It needs TLS, or the same machine, and a
   * clock that is less than five minutes off. Where the browser keeps no keys, `true` lets nobody log in
   * (`KEY_UNAVAILABLE`), and `'if-possible'` does without. Give the session to the element, so that the login
   * is bound as well. @default false
   */
  dpop?: Binding
  /** Makes tabs refresh one at a time. @default navigator.locks, if available */
  locks?: Pick<LockManager, 'request'>
  /** Returns `[0, 1)`; for the jitter of retries. */
  random?: () => number
}

/** Events of a session. */
export interface SessionEvents {
  /** New tokens, from this tab or another. */
  changed: TokenSet
  /**
   * The tokens are gone: logged out here, or in another tab (`elsewhere`); the server refused to refresh
   * them (`refused`); or the session was ended, on another device, by the company or by a later login
   * (`revoked`). `notice` is there if the server says why: with the code `REPLACED` another login took its
   * place, and `notice.reason` is a sentence of the company for the person. Show it as text.
   */
  ended: { reason: 'logout' | 'elsewhere' | 'refused' | 'revoked'; notice?: EndNotice }
}

/** The tokens of a logged-in browser. They are refreshed automatically. */
export interface Session extends Listenable<SessionEvents> {
  /** Saoma's origin, without a slash at its end. */
  readonly origin: string
  readonly clientId: string
  /** Whether its logins are bound to a key of this browser. */
  readonly dpop: Binding
  readonly tokens: TokenSet | undefined
  /** Payload of the id_token, NOT verified: for display, not for decisions. */
  readonly claims: Claims | undefined
  /** When the access token expires: milliseconds since 1970, by this machine's clock. */
  readonly expiresAt: number | undefined
  /** Stores the tokens of a finished login. */
  adopt(tokens: TokenSet): void
  /** Returns an access token that is valid for a while. Refreshes first if needed. */
  accessToken(): Promise<Answer<string>>
  /**
   * Headers for a request of the page to a backend of its own: `authorization`, and `dpop` if the token is
   * bound to a key. A proof is good for one request.
   */
  authorize(request: { method: string; url: string }): Promise<Answer<Record<string, string>>>
  /** Refreshes now. */
  refresh(): Promise<Answer<string>>
  /**
   * Asks the server whether the session still stands, by refreshing. Call it after a `REVOKED` answer. If the
   * session has ended, it ends here and in all other tabs with the reason `revoked`. `why` is the failure
   * that gave rise to it: its notice counts if the server gives none.
   */
  recheck(why?: Pick<Failure, 'ended'>): Promise<Answer<string>>
  /**
   * The person's claims as they are now, by the scopes of the login, such as `phone_number` with the scope
   * `phone`. Of a session that was ended elsewhere the answer is `REVOKED`, and it ends here too.
   */
  userinfo(): Promise<Answer<Claims>>
  /**
   * Ends the session here at once, and on the server. `ended` is false when the server could not be reached:
   * until then a copy of the tokens can still be used. The logout is retried in the background, with back-off
   * and also after a reload. What is stored for that can only end this session.
   */
  logout(): Promise<{ ended: boolean }>
  /** Stops listening to other tabs. The tokens stay. */
  close(): void
}
