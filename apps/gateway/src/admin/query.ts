import { parseNetwork } from '@saoma/audit'
import * as v from 'valibot'

/*
 * Parameters that several of the administrators' routes have. Each message ends a sentence that begins with
 * the name.
 */

export const MOST_OF_A_LIST = 500
const OF_A_LIST = 50

export const Word = v.pipe(v.string(), v.regex(/^[\x21-\x7e]{1,256}$/, 'has 1 to 256 printable characters'))
const A_TIME = 'is a time such as 2026-11-30T09:00:00Z'
/** A time, as milliseconds since 1970. */
export const Moment = v.pipe(
  v.string(),
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
/** A cursor of ours, see `encodeCursor`. */
export const Cursor = v.pipe(v.string(), v.regex(/^[\w-]{1,8000}$/, 'is that of the page before'))

export type Read<T> = { ok: true; query: T } | { ok: false; why: string }

/**
 * Reads a query, or the sentence that says what is wrong with it. Unknown parameters are refused by name.
 *
 * @param word  what a member is called
 */
export const readStrictly = <const E extends v.ObjectEntries>(
  schema: v.StrictObjectSchema<E, undefined>,
  given: unknown,
  word: 'parameter' | 'member' = 'parameter',
): Read<v.InferOutput<v.StrictObjectSchema<E, undefined>>> => {
  if (Array.isArray(given)) return { ok: false, why: 'the body is an object' }
  const read = v.safeParse(schema, given)
  if (read.success) return { ok: true, query: read.output }
  const [{ message, path, type, expected }] = read.issues
  const name = String(path?.[0]?.key ?? '')
  if (name === '') return { ok: false, why: 'the body is an object' }
  if (type === 'strict_object')
    return { ok: false, why: expected === 'never' ? `there is no ${word} ${name}` : `${name} is needed` }
  const wrong = type === 'string' && word === 'parameter' ? 'may be there once only' : message
  return { ok: false, why: `${name} ${wrong}` }
}

/** A place as an opaque text. It holds no secret, and may be forged: whoever has it may read the list. */
export const encodeCursor = (place: object): string => Buffer.from(JSON.stringify(place)).toString('base64url')

/** The place of a cursor; undefined for a text that is none. */
export const decodeCursor = <S extends v.GenericSchema>(cursor: string, Place: S): v.InferOutput<S> | undefined => {
  const text = Buffer.from(cursor, 'base64url').toString()
  const place = v.safeParse(v.pipe(v.string(), v.parseJson(), Place), text)
  return place.success ? place.output : undefined
}

/** What is said of a cursor that is none. */
export const NO_CURSOR = 'cursor is that of the page before'
