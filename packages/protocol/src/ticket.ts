/**
 * The states of a login ticket. A ticket is an OAuth 2.0 device authorization (RFC 8628). Its states follow
 * the phone: not yet scanned, scanned, confirmed, rejected. `redeemed`: the browser has its tokens.
 */
export const transitions = {
  pending: ['scanned', 'rejected', 'expired'],
  scanned: ['confirmed', 'rejected', 'expired'],
  confirmed: ['redeemed', 'expired'],
  rejected: [],
  redeemed: [],
  expired: [],
} as const satisfies Record<string, readonly string[]>

/** The state of a ticket: a key of `transitions`. */
export type TicketStatus = keyof typeof transitions

/**
 * Whether a ticket stays in this state for ever.
 *
 * @example
 * ```ts
 * import { isTerminal } from '@saoma/protocol'
 *
 * console.log(isTerminal('scanned')) // -> false
 * console.log(isTerminal('redeemed')) // -> true
 * ```
 */
export const isTerminal = (status: TicketStatus): boolean => transitions[status].length === 0

/** Everything that a browser learns of a ticket before it has its tokens. Do not add personal data here. */
export interface TicketState {
  /** Public id, 22 characters of `[A-Za-z0-9_-]`; it is what the picture shows. */
  ticket: string
  status: TicketStatus
  /** Increases by one with every transition: the cursor of the long poll, and the key to ignore repeats. */
  version: number
  /** Whole seconds until the current status expires; 0 when it is terminal. */
  expiresIn: number
  /**
   * Why it is `rejected`: `TICKET_VOID` if too many accounts scanned it. Later versions may have others.
   * There is none if the phone declined, or sent too many wrong numbers.
   */
  code?: string | undefined
  /**
   * Two digits that the page displays, and the person types on the phone. It is there while the ticket is
   * `scanned`, if its login is verified by number. No phone is ever told it.
   */
  number?: string | undefined
}

/** The ways in which an account comes to a ticket. */
export const ticketOpenings = ['scanned', 'typed'] as const
/** How an account came to a ticket: it read the code, or it typed the user code. */
export type TicketOpened = (typeof ticketOpenings)[number]

/** The login request as the server saw it. The phone displays it before the person confirms. */
export interface LoginRequest {
  /** Name of the application the person logs in to. */
  app: string
  /** Address of the request, as the trusted proxy reports it. */
  ip: string
  browser: string
  os: string
  /** ISO 8601 time. */
  requestedAt: string
  /** Displayed on both screens for comparison (RFC 8628 section 3.3.1). */
  userCode: string
  /**
   * Set if the device of a registered application asks, such as a TV or a command line. The phone then says
   * that it is no page. If the application belongs to somebody else (`third`), the phone displays the scopes,
   * and sends them with its yes.
   */
  application?: { party: 'first' | 'third'; scopes: string[] } | undefined
  /**
   * Set if an application has sent this request to the phone, without a code. `message` is what the
   * application displays, for comparison. The address is that of its server, and `userCode` is empty.
   */
  pushed?: { message?: string | undefined } | undefined
}

const TICKET_LENGTH = 22
/** Differs from a ticket's length, so that a phone can tell by the scene alone what it has scanned. */
const SCENE_LENGTH = 24
const DEVICE_CODE_LENGTH = TICKET_LENGTH + 43

/** The form of a ticket's public id. */
export const ticketPattern: RegExp = new RegExp(`^[A-Za-z0-9_-]{${TICKET_LENGTH}}$`)
/** Scene of a pooled code. */
export const pooledScenePattern: RegExp = new RegExp(`^[A-Za-z0-9_-]{${SCENE_LENGTH}}$`)
/** The form of a device code: the ticket, and 43 more characters. */
export const deviceCodePattern: RegExp = new RegExp(`^[A-Za-z0-9_-]{${DEVICE_CODE_LENGTH}}$`)

/** Random bits of a pooled code's scene. */
export const pooledSceneBits: number = SCENE_LENGTH * 6

/** Random bits of a device code: 6 for each of its 65 characters. */
export const deviceCodeBits: number = DEVICE_CODE_LENGTH * 6

/**
 * The ticket of a device code. A device code is the ticket's public id followed by 43 random characters (258
 * bits), which only the browser knows. It is both lookup key and credential; the picture contains only the
 * public id.
 *
 * @example
 * ```ts
 * import { ticketOf } from '@saoma/protocol'
 *
 * const deviceCode = '3pYQk0m2Tq2m0wJ8rV9aXg' + 'x'.repeat(43)
 * console.log(ticketOf(deviceCode)) // -> 3pYQk0m2Tq2m0wJ8rV9aXg
 * ```
 */
export const ticketOf = (deviceCode: string): string => deviceCode.slice(0, TICKET_LENGTH)
