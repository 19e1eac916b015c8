import { type AuditQuery, cursorPattern, isKindOrGroup, MOST_ENTRIES, parseNetwork } from '@saoma/audit'
import * as v from 'valibot'
import { Moment, readStrictly } from './query.ts'

const word = v.pipe(v.string(), v.regex(/^[\x21-\x7e]{1,256}$/, 'has 1 to 256 printable characters'))

/** The parameters of `GET /v1/admin/audit`. Each message ends a sentence that begins with the name. */
export const AuditParameters = v.strictObject({
  kind: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^[a-z.]{1,32}(,[a-z.]{1,32}){0,31}$/, 'lists kinds such as login.confirmed, or groups such as login'),
      v.check((text) => text.split(',').every(isKindOrGroup), 'has a kind that does not exist'),
    ),
  ),
  person: v.optional(word),
  ticket: v.optional(word),
  sid: v.optional(word),
  network: v.optional(
    v.pipe(
      v.string(),
      v.check((text) => parseNetwork(text).ok, 'is an address or a network such as 203.0.113.0/24'),
    ),
  ),
  from: v.optional(Moment),
  to: v.optional(Moment),
  order: v.optional(v.picklist(['newest', 'oldest'], 'is newest or oldest')),
  limit: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^[1-9]\d{0,8}$/, 'is a whole number above 0'),
      v.transform((text) => Math.min(Number(text), MOST_ENTRIES)),
    ),
  ),
  cursor: v.optional(v.pipe(v.string(), v.regex(cursorPattern, 'is that of the page before'))),
})

/** Reads a query, or the sentence that says what is wrong with it. */
export const readAuditQuery = (given: object): { ok: true; query: AuditQuery } | { ok: false; why: string } => {
  const read = readStrictly(AuditParameters, given)
  if (!read.ok) return read
  const { kind, ...query } = read.query
  return { ok: true, query: { ...query, ...(kind === undefined ? {} : { kinds: kind.split(',') }) } as AuditQuery }
}
