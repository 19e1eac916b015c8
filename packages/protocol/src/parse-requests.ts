import * as v from 'valibot'
import type { Result } from './codes.ts'
import { parser } from './parser.ts'
import type { KnownBrowsers, WaitingRequests } from './routes.ts'

export const Waiting = v.object({
  requests: v.array(
    v.object({
      ticket: v.string(),
      client: v.string(),
      app: v.string(),
      message: v.optional(v.string()),
      requestedAt: v.string(),
      expiresIn: v.number(),
    }),
  ),
})

/**
 * Answer of `GET /v1/me/requests`: the requests to log in that wait for the person's phone, the newest first.
 *
 * @example
 * ```ts
 * import { parseWaitingRequests } from '@saoma/protocol'
 * console.log(parseWaitingRequests({ requests: [] })) // -> { ok: true, value: { requests: [] } }
 * console.log(parseWaitingRequests([])) // -> { ok: false, code: 'INVALID', unfit: [ 'requests' ] }
 * ```
 */
export const parseWaitingRequests: (input: unknown) => Result<WaitingRequests> = parser(Waiting)

export const Browsers = v.object({
  browsers: v.array(
    v.object({
      id: v.string(),
      browser: v.string(),
      os: v.string(),
      ip: v.string(),
      since: v.string(),
      last: v.string(),
    }),
  ),
})

/**
 * Answer of `GET /v1/me/browsers`: the browsers that may ask the person's phone.
 *
 * @example
 * ```ts
 * import { parseKnownBrowsers } from '@saoma/protocol'
 * console.log(parseKnownBrowsers({ browsers: [] })) // -> { ok: true, value: { browsers: [] } }
 * console.log(parseKnownBrowsers([])) // -> { ok: false, code: 'INVALID', unfit: [ 'browsers' ] }
 * ```
 */
export const parseKnownBrowsers: (input: unknown) => Result<KnownBrowsers> = parser(Browsers)
