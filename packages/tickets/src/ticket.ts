import type { LoginRequest, TicketState } from '@saoma/protocol'
import type { Snapshot } from './scripts.ts'

/** Milliseconds. */
export interface TicketTimes {
  /** From the creation until the scan. @default 120000 */
  scanMs: number
  /** From the scan until the confirmation. @default 60000 */
  confirmMs: number
  /** From the confirmation until the browser has redeemed it. @default 60000 */
  redeemMs: number
  /** How long after its deadline an expired ticket is still known. @default 300000 */
  keepMs: number
}

export interface NewTicket {
  deviceCode: string
  /** The request for login. `requestedAt` is the time of creation by Redis's clock. */
  request: Omit<LoginRequest, 'requestedAt'>
  /** Text of the OAuth layer, stored with the ticket as it is. */
  authorization: string
  /** What the phone must have shown: only a yes that repeats this text counts. @default nothing */
  terms?: string
}

/** A ticket as the OAuth layer sees it. */
export interface TicketRecord {
  state: TicketState
  /** The account that scanned it. */
  sub?: string
  /** When it was confirmed: milliseconds since 1970. */
  decidedAt?: number
  /** What the caller of `scan` stored with it; undefined if a node of an older version took the scan. */
  scannedAfter?: string
  authorization: string
}

/** The state of a ticket for the browser. */
export const stateOf = (ticket: string, { status, version, leftMs }: Snapshot): TicketState => ({
  ticket,
  status,
  version,
  expiresIn: Math.ceil(leftMs / 1_000),
})
