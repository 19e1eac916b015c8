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
  /** How long past its deadline a ticket can still be told from one that never was. @default 300000 */
  keepMs: number
}

export interface NewTicket {
  deviceCode: string
  /** Who asks. `requestedAt` is Redis's time of creation. */
  request: Omit<LoginRequest, 'requestedAt'>
  /** Text of the OAuth layer, kept with the ticket and not looked at. */
  authorization: string
}

/** A ticket as the OAuth layer sees it. */
export interface TicketRecord {
  state: TicketState
  /** The account that scanned it. */
  sub?: string
  /** When it was confirmed: milliseconds since 1970. */
  decidedAt?: number
  authorization: string
}

/** What a browser is told of a ticket. */
export const stateOf = (ticket: string, { status, version, leftMs }: Snapshot): TicketState => ({
  ticket,
  status,
  version,
  expiresIn: Math.ceil(leftMs / 1_000),
})
