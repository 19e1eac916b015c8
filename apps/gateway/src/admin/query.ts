import { parseNetwork } from '@saoma/audit'
import * as v from 'valibot'
import { type Read, readStrictly, shapeOf } from '../transport/http/shape.ts'

/*
 * Parameters that several of the administrators' routes have. Each message ends a sentence that begins with
 * the name.
 */

const MOST_OF_A_LIST = 500
const OF_A_LIST = 50

export const Word = v.pipe(v.string(), v.regex(/^[\x21-\x7e]{1,256}$/, 'has 1 to 256 printable characters'))
const A_TIME = 'is a time such as 2026-11-30T09:00:00Z'
/** A time, as milliseconds since 1970. */
export const Moment = v.pipe(
  v.string(A_TIME),
  v.isoTimestamp(A_TIME),
  v.transform((text) => Date.parse(text)),
  // ISO 8601 allows more than `Date` reads.
  v.number(A_TIME),
)
export const Network = v.pipe(
  v.string(),
  v.check((text) => parseNetwork(text).ok, 'is an address or a network such as 203.0.113.0/24'),
)
/** How many of a list: 50 if left out, 500 at most. */
export const ListLimit = v.optional(
  v.pipe(
    v.string(),
    v.regex(/^[1-9]\d{0,8}$/, 'is a whole number above 0'),
    v.transform((text) => Math.min(Number(text), MOST_OF_A_LIST)),
  ),
  `${OF_A_LIST}`,
)
/** What a cursor is, as the end of a sentence. */
export const CURSOR_RULE = 'is that of the page before'
/** A cursor of ours, see `encodeCursor`. */
export const Cursor = v.pipe(v.string(), v.regex(/^[\w-]{1,8000}$/, CURSOR_RULE))

/** Reads the query of a route of logins, channels, nodes or the audit, or the body of one. */
export const readQuery = <const E extends v.ObjectEntries>(
  schema: v.StrictObjectSchema<E, undefined>,
  given: unknown,
  what: 'parameter' | 'member' = 'parameter',
): Read<v.InferOutput<v.StrictObjectSchema<E, undefined>>> =>
  readStrictly(shapeOf(schema, { unknown: (part, name) => `there is no ${part} ${name}` }), given, what)

/** A place as an opaque text. It holds no secret, and may be forged: whoever has it may read the list. */
export const encodeCursor = (place: object): string => Buffer.from(JSON.stringify(place)).toString('base64url')

/** The place of a cursor; undefined for a text that is none. */
export const decodeCursor = <S extends v.GenericSchema>(cursor: string, Place: S): v.InferOutput<S> | undefined => {
  const text = Buffer.from(cursor, 'base64url').toString()
  const place = v.safeParse(v.pipe(v.string(), v.parseJson(), Place), text)
  return place.success ? place.output : undefined
}

/** What is said of a cursor that is none. */
export const NO_CURSOR = `cursor ${CURSOR_RULE}`
