import type { LoginRequest, Result, TicketState, VerificationDemand, VerificationMode } from '@saoma/protocol'

export interface NewTicket {
  deviceCode: string
  request: Omit<LoginRequest, 'requestedAt'>
  authorization: string
  terms?: string
  /** How the person has to show to be at the browser, and the network of that. @default a tap */
  verification?: { demand: VerificationDemand; network: string; offersNumber?: boolean }
  /** The only account that may answer. Such a ticket needs no user code. @default whoever scans first */
  owner?: string
  /** Milliseconds until the scan. @default that of the times */
  scanMs?: number
}

/** What the OAuth layer needs of the login tickets. The ticket's record is the only record of a login. */
export interface TicketStore {
  create(ticket: NewTicket): Promise<Result<TicketState>>
  record(deviceCode: string): Promise<Result<TicketRecord>>
  /** A ticket's state without a device code. */
  peek(ticket: string): Promise<Result<Pick<TicketRecord, 'state'>>>
  /** What `create` stored, without a device code. */
  authorizationOf(ticket: string): Promise<Result<string>>
  redeem(deviceCode: string): Promise<Result<TicketRecord>>
  /**
   * Counts a poll of the token endpoint. Resolves with false if it came sooner than the interval allows (RFC
   * 8628 `slow_down`).
   */
  poll(deviceCode: string): Promise<boolean>
  /** How long a scanned ticket can be confirmed, and a confirmed one redeemed. */
  readonly times: { readonly confirmMs: number; readonly redeemMs: number }
}

export interface TicketRecord {
  state: TicketState
  sub?: string
  /** When the person confirmed, in milliseconds since the epoch. */
  decidedAt?: number
  /** What the caller of `scan` gave. */
  scannedAfter?: string
  /** How it was verified. Missing if by a tap. */
  mode?: VerificationMode
  authorization: string
}
