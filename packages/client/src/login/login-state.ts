import { type DeviceAuthorization, isTerminal, type Reaction, type TicketState, type TokenSet } from '@saoma/protocol'

/** What a page displays of a usable code. */
export interface ShownCode {
  ticket: string
  /** URL of the picture. */
  qr: string
  /** For comparison with the phone's screen. */
  userCode: string
  verificationUri: string
  verificationUriComplete: string
  /** Milliseconds since 1970, by this machine's clock. */
  expiresAt: number
  /** Of a code that `ask` has requested: whether the phone was asked. The code does as well. */
  pushed?: boolean
}

/**
 * The state of a login. `failed` has the reaction: show a button for `renew` and `retry`, but not for `stop`.
 * `rejected` has the code `TICKET_VOID` if too many accounts scanned the code.
 */
export type LoginState =
  | { status: 'idle' }
  | { status: 'creating' }
  | ({ status: 'waiting' } & ShownCode)
  | ({
      status: 'scanned'
      /** Two digits to display: the person types them on the phone. Missing if the login needs none. */
      number?: string
    } & ShownCode)
  | { status: 'confirmed' }
  | { status: 'rejected'; code?: string }
  | { status: 'expired' }
  | { status: 'done'; tokens: TokenSet }
  | { status: 'failed'; code: string; react: Reaction; message: string }

/** How news of the ticket arrives. Separate from the state: a lost connection does not change the state. */
export type LoginConnection = 'connecting' | 'socket' | 'poll' | 'reconnecting' | 'offline'

/**
 * Whether `next` is newer than `last`: a higher version, or the expiry, which does not change the version.
 */
export const isNews = (last: TicketState | undefined, next: TicketState): boolean =>
  !last || next.version > last.version || (next.status === 'expired' && !isTerminal(last.status))

/** The state to display for a ticket that was read at `now`. @param asks  whether a phone was to be asked */
export const stateOf = (
  authorization: DeviceAuthorization,
  ticket: TicketState,
  now: number,
  asks = false,
): LoginState => {
  const shown: ShownCode = {
    ticket: authorization.ticket,
    qr: authorization.qr,
    userCode: authorization.user_code,
    verificationUri: authorization.verification_uri,
    verificationUriComplete: authorization.verification_uri_complete,
    expiresAt: now + ticket.expiresIn * 1_000,
    ...(authorization.pushed || asks ? { pushed: authorization.pushed ?? false } : {}),
  }
  switch (ticket.status) {
    case 'pending':
      return { status: 'waiting', ...shown }
    case 'scanned':
      return { status: 'scanned', ...shown, ...(ticket.number === undefined ? {} : { number: ticket.number }) }
    case 'confirmed':
      return { status: 'confirmed' }
    case 'rejected':
      return { status: 'rejected', ...(ticket.code === undefined ? {} : { code: ticket.code }) }
    // Redeemed by another holder of the same device code, such as a duplicated tab. For this page the code is
    // gone.
    case 'redeemed':
    case 'expired':
      return { status: 'expired' }
  }
}
