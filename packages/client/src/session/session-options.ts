import type { EndNotice, TokenSet } from '@saoma/protocol'
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
