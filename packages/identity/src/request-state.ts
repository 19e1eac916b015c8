import { type AdapterPayload, Provider } from './oidc-provider.ts'
import type { TicketRecord } from './ticket-store.ts'

/** What one request of the provider has found out, for those who are asked later in it. */
export interface RequestState {
  /** The grant that it has written. */
  grant?: AdapterPayload
  /** The refresh token that it makes: the end of its name, and whether it was made before. */
  refresh?: { end: string; isRepeat: boolean }
  /** The device code that it redeems. */
  redemption?: Redemption
}

export interface Redemption {
  found?: TicketRecord
  /** Uses the code up; what is left to do when the tokens are made. */
  finish?: () => Promise<void>
}

/**
 * Of the request that a route of the provider serves; undefined elsewhere, its own middlewares included: they
 * have it as `ctx.state`.
 */
export const requestState = (): RequestState | undefined => Provider.ctx?.state
