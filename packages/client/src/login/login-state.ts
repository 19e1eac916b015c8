import { type DeviceAuthorization, isTerminal, type Reaction, type TicketState, type TokenSet } from '@saoma/protocol'

/** What a page shows of the code while it can be used. */
export interface ShownCode {
  ticket: string
  /** URL of the picture. */
  qr: string
  /** To compare with what the phone shows. */
  userCode: string
  verificationUri: string
  verificationUriComplete: string
  /** Milliseconds since 1970, by this machine's clock. */
  expiresAt: number
}

/** Where a login stands. `failed` says what to do: `renew` and `retry` are worth a button, `stop` is not. */
export type LoginState =
  | { status: 'idle' }
  | { status: 'creating' }
  | ({ status: 'waiting' } & ShownCode)
  | ({ status: 'scanned' } & ShownCode)
  | { status: 'confirmed' }
  | { status: 'rejected' }
  | { status: 'expired' }
  | { status: 'done'; tokens: TokenSet }
  | { status: 'failed'; code: string; react: Reaction; message: string }

/** How news of the ticket reaches us; apart from the state, because a lost connection takes nothing back. */
export type LoginConnection = 'connecting' | 'socket' | 'poll' | 'reconnecting' | 'offline'

/**
 * Whether `next` says more than `last`: a higher version, or the expiry, which is the clock's doing and bumps
 * no version.
 */
export const isNews = (last: TicketState | undefined, next: TicketState): boolean =>
  !last || next.version > last.version || (next.status === 'expired' && !isTerminal(last.status))

/** What the page shows of a ticket that was read at `now`. */
export const stateOf = (authorization: DeviceAuthorization, ticket: TicketState, now: number): LoginState => {
  const shown: ShownCode = {
    ticket: authorization.ticket,
    qr: authorization.qr,
    userCode: authorization.user_code,
    verificationUri: authorization.verification_uri,
    verificationUriComplete: authorization.verification_uri_complete,
    expiresAt: now + ticket.expiresIn * 1_000,
  }
  switch (ticket.status) {
    case 'pending':
      return { status: 'waiting', ...shown }
    case 'scanned':
      return { status: 'scanned', ...shown }
    case 'confirmed':
      return { status: 'confirmed' }
    case 'rejected':
      return { status: 'rejected' }
    // Redeemed by somebody who holds the same device code, a duplicated tab: for this page the code is gone.
    case 'redeemed':
    case 'expired':
      return { status: 'expired' }
  }
}
