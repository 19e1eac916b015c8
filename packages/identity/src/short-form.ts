import { isDeepStrictEqual } from 'node:util'
import type { AdapterPayload } from './oidc-provider.ts'
import { type Fields, fieldsOf, inJson, type RecordForm } from './record-form.ts'

/*
 * A session lasts for months, so the size of its two records is what the logins cost in Redis. Redis keeps a
 * hash in one block as long as each value has at most 64 bytes; a longer one, such as JSON, makes it a table,
 * which takes about three times as much. So these records have a field for each member. What is the same in
 * every record, or follows from another member, is left out.
 *
 * | field | grant | refresh token |
 * |---|---|---|
 * | g | | grantId, sid |
 * | s | accountId | accountId |
 * | c | clientId | clientId |
 * | x | exp | exp |
 * | i | | iat |
 * | f | | iiat: when the first token was issued |
 * | a | | authTime |
 * | r | | rotations |
 * | o | scope, if it is not the usual one | the same |
 *
 * The scripts read `x` of a grant. Its fields `token`, `from` and `got` are theirs (prolong.lua), and so are
 * `consumed` and `salt` of a refresh token.
 */

/** These words belong to the form. Records that leave them out are read by them, so never change them. */
const USUAL_SCOPE = 'openid profile offline_access'
const ACR = 'scan'
const FIRST_GTY = 'device_code'
const NEXT_GTY = 'device_code refresh_token'

/** A list of fields and values. Members that a record lacks give no field. */
const listOf = (fields: Record<string, unknown>): string[] =>
  Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [name, String(value)]))

const unlessUsual = (scope: unknown): unknown => (scope === USUAL_SCOPE ? undefined : scope)

const shortGrant = (origin: string): RecordForm => ({
  write: ({ accountId, clientId, exp, openid }) => {
    const { scope } = (openid ?? {}) as { scope?: string }
    return listOf({ s: accountId, c: clientId, x: exp, o: unlessUsual(scope) })
  },
  read: ({ s, c, x, o = USUAL_SCOPE }) => {
    if (s === undefined) return undefined
    const granted = { openid: { scope: o }, resources: { [origin]: o } }
    return { accountId: s, clientId: c, exp: Number(x), ...granted, kind: 'Grant' }
  },
})

const shortToken = (origin: string): RecordForm => ({
  write: ({ grantId, accountId, clientId, exp, iat, iiat, authTime, rotations, scope }) => {
    const times = { x: exp, i: iat, f: iiat, a: authTime }
    return listOf({ g: grantId, s: accountId, c: clientId, ...times, r: rotations, o: unlessUsual(scope) })
  },
  read: ({ g, s, c, x, i, f, a, r, o = USUAL_SCOPE }) => {
    if (g === undefined) return undefined
    const times = { exp: Number(x), iat: Number(i), iiat: Number(f), authTime: Number(a) }
    const implied = { acr: ACR, gty: r === '0' ? FIRST_GTY : NEXT_GTY, resource: origin, kind: 'RefreshToken' }
    return { grantId: g, sid: g, accountId: s, clientId: c, scope: o, rotations: Number(r), ...times, ...implied }
  },
})

/**
 * Writes a record in its short form if all nodes read that, and if the form holds all of the record. Else in
 * JSON. Reads both.
 */
const shortOrJson = (form: RecordForm, mayWrite: () => boolean): RecordForm => {
  /** Whether nothing of the record would be lost. Nobody asks when a grant was issued (`iat`). */
  const holds = (fields: Fields, payload: AdapterPayload): boolean =>
    isDeepStrictEqual({ iat: payload.iat, ...form.read(fields) }, payload)

  return {
    write: (payload) => {
      if (!mayWrite()) return inJson.write(payload)
      const short = form.write(payload)
      return holds(fieldsOf(short), payload) ? short : inJson.write(payload)
    },
    // A repeated login may write its second try in the other form. Both then say the same.
    read: (fields) => inJson.read(fields) ?? form.read(fields),
  }
}

/** The forms of the records of which a session consists. */
export interface SessionForms {
  grant: RecordForm
  refreshToken: RecordForm
}

/**
 * @param origin  the cluster's origin. It is the resource of every session and left out, so a record follows
 *   a change of that setting
 * @param mayWrite  whether all running nodes read the short form
 */
export const shortForms = (origin: string, mayWrite: () => boolean): SessionForms => ({
  grant: shortOrJson(shortGrant(origin), mayWrite),
  refreshToken: shortOrJson(shortToken(origin), mayWrite),
})
