import { randomInt } from 'node:crypto'
import type {
  LoginRequest,
  Result,
  TicketOpened,
  TicketState,
  VerificationDemand,
  VerificationMode,
} from '@saoma/protocol'
import type { Listener } from './listen.ts'
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

/** How the person has to show to be at the browser. */
export interface Verification {
  demand: VerificationDemand
  /** Names the network of the browser. Empty: it is in the network of no phone. */
  network: string
  /**
   * Whether a number is drawn although a tap is enough: for a phone that was asked, and has scanned nothing.
   * @default no
   */
  offersNumber?: boolean
}

/** What is demanded of most logins. */
export const TAP: Verification = { demand: 'tap', network: '' }

/** The number of a new page: two digits, of which the first is not 0. Empty if none can be asked for. */
export const drawNumber = ({ demand, offersNumber = false }: Verification): string =>
  offersNumber || demand === 'number' || demand === 'network-or-number' ? String(randomInt(10, 100)) : ''

/** What a phone brings to its scan and to its yes. */
export interface Brought {
  /** Names the network of the phone. @default none */
  network?: string
  /** The two digits that the person has typed. @default none */
  number?: string
  /** What the phone has shown of the ticket's own terms. @default nothing */
  terms?: string
  /** Of a scan: the phone has read no picture, because the request was in its list. @default it has */
  listed?: boolean
}

export interface NewTicket {
  deviceCode: string
  /** The request for login. `requestedAt` is the time of creation by Redis's clock. */
  request: Omit<LoginRequest, 'requestedAt'>
  /** Text of the OAuth layer, stored with the ticket as it is. */
  authorization: string
  /** What the phone must have shown: only a yes that repeats this text counts. @default nothing */
  terms?: string
  /** @default a tap */
  verification?: Verification
  /**
   * The only account that may answer: the request is sent to its phone, so it needs no user code. The state
   * that `create` resolves with then has the number at once. @default whoever scans first
   */
  owner?: string
  /** Milliseconds until the scan. @default that of the times */
  scanMs?: number
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
  /** How it is verified, or was. Missing if that is a tap, and before the scan. */
  mode?: VerificationMode
  authorization: string
}

/**
 * Login tickets in Redis; SPEC.md holds the rules. Outcomes that a person can cause are results. Every call
 * rejects with RedisUnavailable when Redis is unavailable. The operation may still have happened: scan,
 * confirm and reject are idempotent; `create` needs a new device code; repeating a `redeem` whose answer was
 * lost gives TICKET_EXPIRED.
 */
export interface Tickets {
  /** TICKET_TAKEN when the user code or the ticket's id is already in use: draw others. */
  create(ticket: NewTicket): Promise<Result<TicketState>>
  /** TICKET_NOT_FOUND for an unknown ticket and for a wrong secret, TICKET_EXPIRED for a redeemed one. */
  read(deviceCode: string): Promise<Result<TicketState>>
  /** The full record; fails like `read`. */
  record(deviceCode: string): Promise<Result<TicketRecord>>
  /**
   * `scannedAfter` is a text of the OAuth layer, stored by the first scan: what the caller knew of the
   * account before it called. `opened` says how this account came to the ticket, `verification` what its yes
   * has to bring. TICKET_VOID when too many accounts have scanned it. VERIFICATION_REQUIRED if only a phone
   * in the browser's network may scan.
   */
  scan(
    ticket: string,
    sub: string,
    scannedAfter?: string,
    brought?: Brought,
  ): Promise<
    Result<{ state: TicketState; request: LoginRequest; opened: TicketOpened; verification: VerificationMode }>
  >
  /**
   * CONSENT_REQUIRED if the phone has shown other terms than those of the ticket. VERIFICATION_REQUIRED if
   * the number, or the browser's network, is missing. VERIFICATION_WRONG for another number. With the last of
   * MOST_WRONG_NUMBERS the ticket is rejected.
   */
  confirm(ticket: string, sub: string, brought?: Brought): Promise<Result<TicketState>>
  reject(ticket: string, sub: string): Promise<Result<TicketState>>
  /**
   * Succeeds once. NOT_SCANNED while the ticket is undecided, TICKET_SETTLED when rejected, TICKET_EXPIRED
   * when too late or repeated.
   */
  redeem(deviceCode: string): Promise<Result<TicketRecord>>
  /** Counts a poll of the token endpoint; false when it came too soon (RFC 8628 `slow_down`). */
  poll(deviceCode: string): Promise<boolean>
  /** A ticket's state and whose it is, without a device code. TICKET_NOT_FOUND for an unknown one. */
  peek(ticket: string): Promise<Result<Pick<TicketRecord, 'state' | 'sub'>>>
  /** The text of the OAuth layer, without a device code. TICKET_NOT_FOUND for an unknown ticket. */
  authorizationOf(ticket: string): Promise<Result<string>>
  /** Whether the ticket still waits for its scan. Only then is its picture needed. */
  isPending(ticket: string): Promise<boolean>
  /**
   * The ticket of a user code that a person typed, or TICKET_NOT_FOUND. With the person's account, its scan
   * is told so.
   */
  findByUserCode(userCode: string, sub?: string): Promise<Result<string>>
  /** What a phone would be told of a ticket, without scanning it. TICKET_NOT_FOUND for an unknown one. */
  requestOf(ticket: string): Promise<Result<NewTicket['request']>>
  /**
   * Waits for a state above version `after` and resolves with it. Resolves with the present state when none
   * can follow, after `timeoutMs`, or when the signal is aborted. A passed deadline is a higher state
   * (`expired`). A redeemed ticket gives TICKET_EXPIRED, as in `read`.
   */
  wait(
    deviceCode: string,
    after: number,
    options: { timeoutMs: number; signal?: AbortSignal },
  ): Promise<Result<TicketState>>
  /**
   * Yields states above version `after`, up to and including a terminal one; none if `read` would refuse.
   * Ends when the signal is aborted.
   */
  follow(deviceCode: string, after: number, signal: AbortSignal): AsyncGenerator<TicketState>
  /**
   * Calls the listener for every transition. Resolves once none can be missed any more. Rejects with
   * RedisUnavailable when Redis does not confirm within 5 s. In both cases it listens until `unlisten`, which
   * must be called once for each call.
   */
  listen(ticket: string, listener: Listener): Promise<void>
  unlisten(ticket: string, listener: Listener): void
  /** The configured times. */
  readonly times: Readonly<TicketTimes>
  /** The Socket.IO room that gets the ticket's transitions. */
  room(ticket: string): string
  /** The Redis channel that carries them. */
  channel(ticket: string): string
}

/** The state of a ticket for the browser. */
export const stateOf = (ticket: string, { status, version, leftMs, isVoid, number }: Snapshot): TicketState => ({
  ticket,
  status,
  version,
  expiresIn: Math.ceil(leftMs / 1_000),
  ...(isVoid ? { code: 'TICKET_VOID' } : {}),
  ...(number === undefined ? {} : { number }),
})
