import { type AuditQuery, cursorPattern, isKindOrGroup, MOST_ENTRIES } from '@saoma/audit'
import * as v from 'valibot'
import type { Read } from '../transport/http/shape.ts'
import { CURSOR_RULE, Moment, Network, readQuery, Word } from './query.ts'

/** The parameters of `GET /v1/admin/audit`. Each message ends a sentence that begins with the name. */
export const AuditParameters = v.strictObject({
  kind: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^[a-z.]{1,32}(,[a-z.]{1,32}){0,31}$/, 'lists kinds such as login.confirmed, or groups such as login'),
      v.check((text) => text.split(',').every(isKindOrGroup), 'has a kind that does not exist'),
    ),
  ),
  person: v.optional(Word),
  ticket: v.optional(Word),
  sid: v.optional(Word),
  network: v.optional(Network),
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
  cursor: v.optional(v.pipe(v.string(), v.regex(cursorPattern, CURSOR_RULE))),
})

/** Reads a query, or the sentence that says what is wrong with it. */
export const readAuditQuery = (given: object): Read<AuditQuery> => {
  const read = readQuery(AuditParameters, given)
  if (!read.ok) return read
  const { kind, ...query } = read.value
  return { ok: true, value: { ...query, ...(kind === undefined ? {} : { kinds: kind.split(',') }) } as AuditQuery }
}
