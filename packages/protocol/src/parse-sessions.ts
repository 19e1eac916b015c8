import * as v from 'valibot'
import type { Result } from './codes.ts'
import { Count, parser } from './parser.ts'
import type { ActivityPage, SessionList, SessionsEnded } from './routes.ts'

export const Sessions = v.object({
  sessions: v.array(
    v.object({
      sid: v.string(),
      client: v.string(),
      app: v.string(),
      ip: v.string(),
      browser: v.string(),
      os: v.string(),
      since: v.string(),
      current: v.boolean(),
      applications: v.optional(v.array(v.object({ client: v.string(), name: v.string() }))),
    }),
  ),
})
export const Ended = v.object({ ended: Count })
const Text = v.optional(v.string())
export const Activity = v.object({
  entries: v.array(
    v.object({
      id: v.string(),
      kind: v.string(),
      time: v.string(),
      ticket: Text,
      sid: Text,
      client: Text,
      app: Text,
      ip: Text,
      browser: Text,
      os: Text,
      mode: Text,
      by: Text,
      reason: Text,
    }),
  ),
  cursor: Text,
})

/**
 * Answer of `GET /v1/sessions`: where the person is logged in, the newest login first.
 *
 * @example
 * ```ts
 * import { parseSessionList } from '@saoma/protocol'
 * console.log(parseSessionList({ sessions: [] })) // -> { ok: true, value: { sessions: [] } }
 * console.log(parseSessionList([])) // -> { ok: false, code: 'INVALID', unfit: [ 'sessions' ] }
 * ```
 */
export const parseSessionList: (input: unknown) => Result<SessionList> = parser(Sessions)
/**
 * Answer of `DELETE /v1/sessions` and `DELETE /v1/sessions/{sid}`: how many sessions were ended.
 *
 * @example
 * ```ts
 * import { parseSessionsEnded } from '@saoma/protocol'
 * console.log(parseSessionsEnded({ ended: 2 })) // -> { ok: true, value: { ended: 2 } }
 * ```
 */
export const parseSessionsEnded: (input: unknown) => Result<SessionsEnded> = parser(Ended)
/**
 * Answer of `GET /v1/me/activity`: what happened to a person's logins, the newest first.
 *
 * @example
 * ```ts
 * import { parseActivity } from '@saoma/protocol'
 * const entry = { id: 'people-1:1-0', kind: 'login.redeemed', time: '2026-11-30T09:00:00.000Z' }
 * const parsed = parseActivity({ entries: [{ ...entry, app: 'Shop' }] })
 * console.log(parsed.ok && parsed.value.entries[0]?.app) // -> Shop
 * console.log(parseActivity({})) // -> { ok: false, code: 'INVALID', unfit: [ 'entries' ] }
 * ```
 */
export const parseActivity: (input: unknown) => Result<ActivityPage> = parser(Activity)
