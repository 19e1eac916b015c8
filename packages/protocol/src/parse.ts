import * as v from 'valibot'
import type { Result } from './codes.ts'
import { Digits, Mode } from './parse-confirmation.ts'
import { Count, parser } from './parser.ts'
import type { CodePicture, DeviceAuthorization, PooledCodeAnswer, ScanAnswer, TicketLink, TokenSet } from './routes.ts'
import {
  deviceCodePattern,
  pooledScenePattern,
  type TicketState,
  type TicketStatus,
  ticketOpenings,
  ticketPattern,
  transitions,
} from './ticket.ts'

export const Ticket = v.pipe(v.string(), v.regex(ticketPattern))
export const DeviceCode = v.pipe(v.string(), v.regex(deviceCodePattern))
const Status = v.picklist(Object.keys(transitions) as TicketStatus[])

export const State = v.object({
  ticket: Ticket,
  status: Status,
  version: Count,
  expiresIn: Count,
  code: v.optional(v.string()),
  number: Digits,
})

export const Watch = v.object({ deviceCode: DeviceCode })

const Authorization = v.object({
  device_code: DeviceCode,
  user_code: v.string(),
  verification_uri: v.string(),
  verification_uri_complete: v.string(),
  expires_in: Count,
  interval: Count,
  ticket: Ticket,
  qr: v.string(),
  pushed: v.optional(v.literal(true)),
})

const Tokens = v.object({
  access_token: v.string(),
  token_type: v.picklist(['Bearer', 'DPoP']),
  expires_in: Count,
  scope: v.optional(v.string()),
  id_token: v.optional(v.string()),
  refresh_token: v.optional(v.string()),
  phone_code: v.optional(v.string()),
  browser_remembered: v.optional(v.literal(true)),
  remembered_name: v.optional(v.string()),
})

export const Scan = v.object({
  state: State,
  request: v.object({
    app: v.string(),
    ip: v.string(),
    browser: v.string(),
    os: v.string(),
    requestedAt: v.string(),
    userCode: v.string(),
    application: v.optional(v.object({ party: v.picklist(['first', 'third']), scopes: v.array(v.string()) })),
    pushed: v.optional(v.object({ message: v.optional(v.string()) })),
  }),
  sameNetwork: v.boolean(),
  opened: v.optional(v.picklist(ticketOpenings)),
  verification: Mode,
})

export const PooledScene = v.pipe(v.string(), v.regex(pooledScenePattern))
export const VerificationDigits = v.object({ check: Digits })
export const PooledCode = v.object({ ticket: Ticket })
export const Picture = v.object({
  code: v.picklist(['plain', 'mini-program']),
  url: v.string(),
  integrity: v.optional(v.string()),
  check: Digits,
  link: v.boolean(),
})
export const Link = v.object({ url: v.string(), expiresIn: Count })

/*
 * Parsers from `unknown`: the only validators of wire data, for both sides. Unknown keys are dropped. Other
 * input is `INVALID`, with the names of the members in `unfit`.
 */

/**
 * The public id of a ticket: 22 characters of `[A-Za-z0-9_-]`. Anything else is `INVALID`.
 *
 * @example
 * ```ts
 * import { parseTicket } from '@saoma/protocol'
 * console.log(parseTicket('3pYQk0m2Tq2m0wJ8rV9aXg').ok) // -> true
 * console.log(parseTicket('17')) // -> { ok: false, code: 'INVALID', unfit: [] }
 * ```
 */
export const parseTicket: (input: unknown) => Result<string> = parser(Ticket)
/**
 * The scene of a pooled code: 24 characters of `[A-Za-z0-9_-]`, so that it is never taken for a ticket.
 *
 * @example
 * ```ts
 * import { parsePooledScene } from '@saoma/protocol'
 * console.log(parsePooledScene('3pYQk0m2Tq2m0wJ8rV9aXgAA').ok) // -> true
 * console.log(parsePooledScene('3pYQk0m2Tq2m0wJ8rV9aXg').ok) // -> false
 * ```
 */
export const parsePooledScene: (input: unknown) => Result<string> = parser(PooledScene)
/**
 * Body of `POST /v1/codes/{scene}`: `check`, if it is there, is the two digits beside the code.
 *
 * @example
 * ```ts
 * import { parseVerificationDigits } from '@saoma/protocol'
 * console.log(parseVerificationDigits({ check: '07' })) // -> { ok: true, value: { check: '07' } }
 * console.log(parseVerificationDigits({ check: 7 })) // -> { ok: false, code: 'INVALID', unfit: [ 'check' ] }
 * ```
 */
export const parseVerificationDigits: (input: unknown) => Result<{ check?: string | undefined }> =
  parser(VerificationDigits)
/**
 * A device code: 65 characters of `[A-Za-z0-9_-]`, of which the first 22 are the ticket.
 *
 * @example
 * ```ts
 * import { parseDeviceCode } from '@saoma/protocol'
 * console.log(parseDeviceCode('x'.repeat(65)).ok) // -> true
 * console.log(parseDeviceCode('3pYQk0m2Tq2m0wJ8rV9aXg').ok) // -> false
 * ```
 */
export const parseDeviceCode: (input: unknown) => Result<string> = parser(DeviceCode)
/**
 * What a browser sends with `watch`: the device code whose ticket it wants to follow.
 *
 * @example
 * ```ts
 * import { parseWatch } from '@saoma/protocol'
 * console.log(parseWatch({ deviceCode: 'x'.repeat(65) }).ok) // -> true
 * console.log(parseWatch({ deviceCode: 17 })) // -> { ok: false, code: 'INVALID', unfit: [ 'deviceCode' ] }
 * ```
 */
export const parseWatch: (input: unknown) => Result<{ deviceCode: string }> = parser(Watch)
/**
 * Answer of `GET /v1/tickets/{ticket}`, and the event `ticket`: what a browser learns of its ticket.
 *
 * @example
 * ```ts
 * import { parseTicketState } from '@saoma/protocol'
 * const state = { ticket: '3pYQk0m2Tq2m0wJ8rV9aXg', status: 'scanned', version: 2, expiresIn: 58 }
 * const parsed = parseTicketState(state)
 * console.log(parsed.ok && parsed.value.status) // -> scanned
 * console.log(parseTicketState({ ...state, status: 'lost' }).ok) // -> false
 * ```
 */
export const parseTicketState: (input: unknown) => Result<TicketState> = parser(State)
/**
 * Answer of `POST /oidc/device/auth` (RFC 8628 section 3.2), with `ticket` and `qr`.
 *
 * @example
 * ```ts
 * import { parseDeviceAuthorization } from '@saoma/protocol'
 * const response = await fetch('https://login.example.com/oidc/device/auth', {
 *   method: 'POST',
 *   body: new URLSearchParams({ client_id: 'web', scope: 'openid' }),
 * })
 * const parsed = parseDeviceAuthorization(await response.json())
 * console.log(parsed.ok && parsed.value.expires_in) // -> 120
 * ```
 */
export const parseDeviceAuthorization: (input: unknown) => Result<DeviceAuthorization> = parser(Authorization)
/**
 * Answer of `POST /oidc/token` (RFC 6749 section 5.1). `expires_in` is in seconds.
 *
 * @example
 * ```ts
 * import { parseTokenSet } from '@saoma/protocol'
 * console.log(parseTokenSet({ access_token: 'x.y.z', token_type: 'Bearer', expires_in: 600 }).ok) // -> true
 * console.log(parseTokenSet({ access_token: 'x.y.z', token_type: 'mac' }).ok) // -> false
 * ```
 */
export const parseTokenSet: (input: unknown) => Result<TokenSet> = parser(Tokens)
/**
 * Answer of `POST /v1/tickets/{ticket}/scan`: what the phone shows before the person confirms.
 *
 * @example
 * ```ts
 * import { parseScanAnswer } from '@saoma/protocol'
 * const state = { ticket: '3pYQk0m2Tq2m0wJ8rV9aXg', status: 'scanned', version: 2, expiresIn: 58 }
 * const from = { app: 'Shop', ip: '203.0.113.7', browser: 'Firefox 150', os: 'Windows' }
 * const request = { ...from, requestedAt: '2026-11-30T09:00:00.000Z', userCode: 'BCDF-GHJK' }
 * const parsed = parseScanAnswer({ state, request, sameNetwork: false })
 * console.log(parsed.ok && parsed.value.request.userCode) // -> BCDF-GHJK
 * ```
 */
export const parseScanAnswer: (input: unknown) => Result<ScanAnswer> = parser(Scan)
/**
 * Answer of `POST /v1/codes/{scene}`: the ticket to which a pooled code is leased now.
 *
 * @example
 * ```ts
 * import { parsePooledCodeAnswer } from '@saoma/protocol'
 * console.log(parsePooledCodeAnswer({ ticket: '3pYQk0m2Tq2m0wJ8rV9aXg' }))
 * // -> { ok: true, value: { ticket: '3pYQk0m2Tq2m0wJ8rV9aXg' } }
 * ```
 */
export const parsePooledCodeAnswer: (input: unknown) => Result<PooledCodeAnswer> = parser(PooledCode)
/**
 * Answer of `GET /v1/tickets/{ticket}/qr` to clients that accept JSON: how to show the picture.
 *
 * @example
 * ```ts
 * import { parseCodePicture } from '@saoma/protocol'
 * console.log(parseCodePicture({ code: 'plain', url: 'data:image/svg+xml,', link: false }).ok) // -> true
 * console.log(parseCodePicture({ code: 'round' }))
 * // -> { ok: false, code: 'INVALID', unfit: [ 'code', 'url', 'link' ] }
 * ```
 */
export const parseCodePicture: (input: unknown) => Result<CodePicture> = parser(Picture)
/**
 * Answer of `POST /v1/tickets/{ticket}/link` and of `GET /v1/link`. `expiresIn` is in seconds.
 *
 * @example
 * ```ts
 * import { parseTicketLink } from '@saoma/protocol'
 * console.log(parseTicketLink({ url: 'weixin://dl/business/?t=x', expiresIn: 600 }))
 * // -> { ok: true, value: { url: 'weixin://dl/business/?t=x', expiresIn: 600 } }
 * ```
 */
export const parseTicketLink: (input: unknown) => Result<TicketLink> = parser(Link)
