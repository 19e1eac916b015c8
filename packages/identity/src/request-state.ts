import type { Account } from '@saoma/accounts'
import type { Code, EndNotice, Result } from '@saoma/protocol'
import { type AdapterPayload, Provider } from './oidc-provider.ts'
import type { TicketRecord } from './ticket-store.ts'

/** State of one request of the provider, shared by the adapters that it calls. */
export interface RequestState {
  /** The grant that the request has written. */
  grant?: AdapterPayload
  /** The account of the person whose session the request begins. It is read while the session is written. */
  account?: { sub: string; found: Promise<Account | undefined> }
  /** The entry of the session that a browser enters. It is read while the account is. */
  entry?: { sid: string; text: Promise<string | null> }
  /** Whether the session that the request begins may have tokens. See `Beginning`. */
  stands?: Promise<boolean>
  /** The refresh token that the request creates: the end of its name, and whether it was created before. */
  refresh?: { end: string; isRepeat: boolean }
  /** Why the session of the refresh token was ended. The refusal tells it. */
  ended?: EndNotice
  /** Why the person gets no token. It is sent beside OAuth's error. */
  refusal?: { code: Code; detail?: string }
  /** Whose phone has got a token for one of the company's own app (`app`). */
  phone?: { sub: string; app: string }
  /** From where an application sends a request to a phone, and what became of it. */
  device?: { ip: string; browser: string; os: string }
  pushed?: { ticket: string; sub: string; number?: string }
  /** The device code that the request redeems. */
  redemption?: Redemption
  /** What the request is writing. See `writeMeanwhile`. */
  writes?: Promise<void>[]
  /** What the request uses up at its end. See `useUpLast`. */
  lastly?: (() => Promise<void>)[]
  /** The session of the browser's cookie. It was not over when the request began. */
  entered?: string
  /** The client that the request has asked for. The provider asks again and again. */
  client?: { id: string; found: Promise<AdapterPayload | undefined> }
}

export interface Redemption {
  found?: TicketRecord
  /** What is being read of a code. */
  reading?: { deviceCode: string; found: Promise<Result<TicketRecord>> }
  /** Consumes the code; called when the tokens exist. */
  finish?: () => Promise<void>
}

/**
 * The state of the request that a provider route serves. Undefined elsewhere, also in our own middlewares,
 * which have it as `ctx.state`.
 */
export const requestState = (): RequestState | undefined => Provider.ctx?.state
