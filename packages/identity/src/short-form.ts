import { isDeepStrictEqual } from 'node:util'
import { verificationModes } from '@saoma/protocol'
import { acrOf, amrOf, modeOf } from './authentication.ts'
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
 * | s | accountId, if it is no application's | the same |
 * | c | clientId | clientId |
 * | x | exp | exp |
 * | i | | iat |
 * | f | | iiat: when the first token was issued |
 * | a | | authTime |
 * | r | | rotations |
 * | o | scope, if it is not the usual one | the same |
 * | p | of an application: sessionUid | the same, and sid |
 * | k | of an application: registration | |
 * | u | the resource without the origin, if there is more than that | of an application: the same |
 * | n | | of an application: nonce |
 * | j | | of an application: jkt |
 * | v | | how the login was verified, if not by a tap |
 *
 * The scripts read `x` of a grant. Its fields `token`, `from` and `got` are theirs (prolong.lua), and so are
 * `consumed` and `salt` of a refresh token.
 */

/** These words belong to the form. Records that leave them out are read by them, so never change them. */
const USUAL_SCOPE = 'openid profile offline_access'
const FIRST_GTY = 'device_code'
const NEXT_GTY = 'device_code refresh_token'
/** The same of applications. */
const APPLICATION = { first: 'authorization_code', next: 'authorization_code refresh_token' } as const

/** How a login was verified, as a field. One of a tap has none. */
const verifiedBy = (acr: unknown): string | undefined => {
  const mode = modeOf(acr)
  return mode === 'tap' ? undefined : mode
}
const wayOf = (field: string | undefined): { acr: string; amr: string[] } => {
  const mode = verificationModes.find((known) => known === field) ?? 'tap'
  return { acr: acrOf(mode), amr: amrOf(mode) }
}

/** A list of fields and values. Members that a record lacks give no field. */
const listOf = (fields: Record<string, unknown>): string[] =>
  Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [name, String(value)]))

const unlessUsual = (scope: unknown): unknown => (scope === USUAL_SCOPE ? undefined : scope)

/** The part of an address behind the origin; undefined if it has another one. */
const behind = (origin: string, address: unknown): string | undefined =>
  typeof address === 'string' && address.startsWith(origin) ? address.slice(origin.length) : undefined

const shortGrant = (origin: string): RecordForm => ({
  write: ({ accountId, clientId, exp, openid, resources }) => {
    const { scope } = (openid ?? {}) as { scope?: string }
    const [resource] = Object.keys((resources ?? {}) as object)
    // The login of an application's person has a resource of its own.
    const u = behind(origin, resource) || undefined
    return listOf({ s: accountId, c: clientId, x: exp, o: unlessUsual(scope), u })
  },
  read: ({ s, c, x, o = USUAL_SCOPE, u = '' }) => {
    if (s === undefined) return undefined
    const granted = { openid: { scope: o }, resources: { [`${origin}${u}`]: o } }
    return { accountId: s, clientId: c, exp: Number(x), ...granted, kind: 'Grant' }
  },
})

const shortToken = (origin: string): RecordForm => ({
  write: ({ grantId, accountId, clientId, exp, iat, iiat, authTime, rotations, scope, acr }) => {
    const times = { x: exp, i: iat, f: iiat, a: authTime }
    const more = { r: rotations, o: unlessUsual(scope), v: verifiedBy(acr) }
    return listOf({ g: grantId, s: accountId, c: clientId, ...times, ...more })
  },
  read: ({ g, s, c, x, i, f, a, r, o = USUAL_SCOPE, v }) => {
    if (g === undefined) return undefined
    const times = { exp: Number(x), iat: Number(i), iiat: Number(f), authTime: Number(a) }
    const implied = { ...wayOf(v), gty: r === '0' ? FIRST_GTY : NEXT_GTY, resource: origin, kind: 'RefreshToken' }
    return { grantId: g, sid: g, accountId: s, clientId: c, scope: o, rotations: Number(r), ...times, ...implied }
  },
})

const applicationGrant = (origin: string): RecordForm => ({
  write: ({ clientId, exp, openid, resources, sessionUid, registration }) => {
    const { scope } = (openid ?? {}) as { scope?: string }
    const [resource] = Object.keys((resources ?? {}) as object)
    const names = { p: sessionUid, k: registration }
    return listOf({ c: clientId, x: exp, o: scope, ...names, u: behind(origin, resource) })
  },
  read: ({ c, x, o = '', p, k, u = '' }) => {
    if (c === undefined) return undefined
    const granted = { openid: { scope: o }, resources: { [`${origin}${u}`]: o } }
    const names = { sessionUid: p, ...(k === undefined ? {} : { registration: k }) }
    return { clientId: c, exp: Number(x), ...granted, ...names, kind: 'Grant' }
  },
})

const applicationToken = (origin: string): RecordForm => ({
  write: (payload) => {
    const { grantId, clientId, exp, iat, iiat, authTime, rotations, scope, sessionUid, nonce, jkt } = payload
    const times = { x: exp, i: iat, f: iiat, a: authTime }
    const rest = { p: sessionUid, u: behind(origin, payload.resource), n: nonce, j: jkt, v: verifiedBy(payload.acr) }
    return listOf({ g: grantId, c: clientId, ...times, r: rotations, o: scope, ...rest })
  },
  read: ({ g, c, x, i, f, a, r, o, p, u = '', n, j, v }) => {
    if (g === undefined) return undefined
    const times = { exp: Number(x), iat: Number(i), iiat: Number(f), authTime: Number(a) }
    const { first, next } = APPLICATION
    const implied = { ...wayOf(v), gty: r === '0' ? first : next, kind: 'RefreshToken' }
    return {
      ...{ grantId: g, sid: p, sessionUid: p, clientId: c, scope: o, rotations: Number(r) },
      ...{ resource: `${origin}${u}`, ...times, ...implied },
      ...(n === undefined ? {} : { nonce: n }),
      ...(j === undefined ? {} : { jkt: j }),
    }
  },
})

/** The form of an application's records for those that name a session, and the other form for all others. */
const either = (own: RecordForm, application: RecordForm): RecordForm => ({
  write: (payload) => (payload.sessionUid === undefined ? own : application).write(payload),
  read: (fields) => (fields.p === undefined ? own : application).read(fields),
})

/** Nodes of former versions name a tap in another way. */
const ofToday = (record: AdapterPayload | undefined): AdapterPayload | undefined =>
  record && modeOf(record.acr) === 'tap' ? { ...record, ...wayOf(undefined) } : record

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
    read: (fields) => ofToday(inJson.read(fields)) ?? form.read(fields),
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
  grant: shortOrJson(either(shortGrant(origin), applicationGrant(origin)), mayWrite),
  refreshToken: shortOrJson(either(shortToken(origin), applicationToken(origin)), mayWrite),
})
