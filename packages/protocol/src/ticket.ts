/**
 * The life of a login ticket. A ticket is an OAuth 2.0 device authorization (RFC 8628); its states are those
 * of the person's phone: not yet read, read, agreed, refused; `redeemed` when the browser has its tokens.
 */
export const transitions = {
  pending: ['scanned', 'rejected', 'expired'],
  scanned: ['confirmed', 'rejected', 'expired'],
  confirmed: ['redeemed', 'expired'],
  rejected: [],
  redeemed: [],
  expired: [],
} as const satisfies Record<string, readonly string[]>

export type TicketStatus = keyof typeof transitions

export const isTerminal = (status: TicketStatus): boolean => transitions[status].length === 0

/**
 * All that a browser is ever told of a ticket before it has its tokens. Nothing personal may be added here.
 */
export interface TicketState {
  /** Public id, 22 characters of `[A-Za-z0-9_-]`; it is what the picture shows. */
  ticket: string
  status: TicketStatus
  /**
   * Grows by one with every transition: the cursor of the long poll and the key by which repeats are dropped.
   */
  version: number
  /** Whole seconds until the current status expires; 0 when it is terminal. */
  expiresIn: number
}

/** Who asks to be logged in, as the server saw it; shown on the phone before it confirms. */
export interface LoginRequest {
  /** Name of the application the person logs in to. */
  app: string
  /** Address the request came from, taken from the trusted proxy. */
  ip: string
  browser: string
  os: string
  /** ISO 8601 time. */
  requestedAt: string
  /** Shown on both screens so that the person can compare (RFC 8628 section 3.3.1). */
  userCode: string
}

const TICKET_LENGTH = 22
/** Another length than a ticket's, so that a phone knows by the scene alone what it has read. */
const SCENE_LENGTH = 24
const DEVICE_CODE_LENGTH = TICKET_LENGTH + 43

export const ticketPattern: RegExp = new RegExp(`^[A-Za-z0-9_-]{${TICKET_LENGTH}}$`)
/** Scene of a code that was made ahead of its ticket. */
export const pooledScenePattern: RegExp = new RegExp(`^[A-Za-z0-9_-]{${SCENE_LENGTH}}$`)
export const deviceCodePattern: RegExp = new RegExp(`^[A-Za-z0-9_-]{${DEVICE_CODE_LENGTH}}$`)

/** Random bits of a pooled code's scene. */
export const pooledSceneBits: number = SCENE_LENGTH * 6

/** Random bits the server draws for a device code: 6 for each of its 65 characters. */
export const deviceCodeBits: number = DEVICE_CODE_LENGTH * 6

/**
 * The ticket a device code belongs to. A device code is the ticket's public id followed by 43 more random
 * characters (258 bits), which only the browser knows: so one string finds the record and proves the right to
 * it, and the picture proves nothing.
 */
export const ticketOf = (deviceCode: string): string => deviceCode.slice(0, TICKET_LENGTH)
