import * as v from 'valibot'
import { arePatterns, isKeyName, NAME_RULE } from '../access/api-keys.ts'
import type { ListedKey } from '../access/listed-key.ts'
import { channelActs, scopes } from '../access/scopes.ts'

/** Most patterns of a key, and most characters of them together. */
const MOST_PATTERNS = 64
const LONGEST_PATTERNS = 2_048
const MOST_OVERLAP_SECONDS = 30 * 86_400
const USUAL_OVERLAP_SECONDS = 86_400
const PAGE = { usual: 50, most: 500 }

const isUnique = (all: readonly string[]): boolean => new Set(all).size === all.length

export const areFewPatterns = (patterns: string[]): boolean =>
  patterns.length <= MOST_PATTERNS && patterns.join().length <= LONGEST_PATTERNS
export const FEW_PATTERNS_RULE = `has at most ${MOST_PATTERNS} patterns, of ${LONGEST_PATTERNS} characters together`

/** Body of `POST /v1/admin/keys`. Each message ends a sentence that begins with the member. */
export const NewKeyRequest = v.strictObject({
  name: v.pipe(v.string('is a text'), v.check(isKeyName, NAME_RULE)),
  channels: v.optional(
    v.pipe(
      v.array(
        v.pipe(
          v.string('has texts'),
          v.check((text) => !text.includes(',') && arePatterns(text), 'has patterns such as room:*'),
        ),
        'is a list of patterns',
      ),
      v.check(areFewPatterns, FEW_PATTERNS_RULE),
      v.check((all) => isUnique(all), 'has a pattern twice'),
    ),
    [],
  ),
  may: v.optional(
    v.pipe(
      v.array(v.picklist(channelActs, `has ${channelActs.join(', ')}`), 'is a list'),
      v.check((all) => isUnique(all), 'has an act twice'),
    ),
    [...channelActs],
  ),
  scopes: v.optional(
    v.pipe(
      v.array(v.picklist(scopes, `has scopes: there are ${scopes.join(', ')}`), 'is a list'),
      v.check((all) => isUnique(all), 'has a scope twice'),
    ),
    [],
  ),
  expiresAt: v.optional(
    v.pipe(
      v.string('is a time'),
      v.isoTimestamp('is a time such as 2026-11-30T09:00:00Z'),
      v.transform((text) => Date.parse(text)),
      v.check((ms) => ms > Date.now(), 'is a time to come'),
    ),
  ),
})

/** The parameters or members of a route that takes none. */
export const Nothing = v.strictObject({})

const OVERLAP_RULE = `is a whole number of seconds, ${MOST_OVERLAP_SECONDS} at most`
/** Body of `POST /v1/admin/keys/{name}/rotate`. */
export const RotateRequest = v.strictObject({
  overlapSeconds: v.optional(
    v.pipe(
      v.number(OVERLAP_RULE),
      v.integer(OVERLAP_RULE),
      v.minValue(0, OVERLAP_RULE),
      v.maxValue(MOST_OVERLAP_SECONDS, OVERLAP_RULE),
    ),
    USUAL_OVERLAP_SECONDS,
  ),
})

/** The place behind a key in the list. */
const placeOf = ({ name, source }: ListedKey): string => `${name} ${source}`
const cursorOf = (key: ListedKey): string => Buffer.from(placeOf(key)).toString('base64url')
const PLACE = /^[A-Za-z0-9-]{1,32} (?:file|redis)$/

const CURSOR_RULE = 'is that of the page before'
export const KeyListQuery = v.strictObject({
  limit: v.optional(
    v.pipe(
      v.string('may be there once only'),
      v.regex(/^[1-9]\d{0,8}$/, 'is a whole number above 0'),
      v.transform((text) => Math.min(Number(text), PAGE.most)),
    ),
    `${PAGE.usual}`,
  ),
  cursor: v.optional(
    v.pipe(
      v.string('may be there once only'),
      v.maxLength(64, CURSOR_RULE),
      v.transform((text) => Buffer.from(text, 'base64url').toString()),
      v.regex(PLACE, CURSOR_RULE),
    ),
  ),
})

/** A page of a list that is in order. Its cursor names a place, so it survives changes of the list. */
export const pageOf = (
  all: readonly ListedKey[],
  { limit, cursor }: v.InferOutput<typeof KeyListQuery>,
): { keys: readonly ListedKey[]; cursor?: string } => {
  const after = cursor === undefined ? all : all.filter((key) => placeOf(key) > cursor)
  const keys = after.slice(0, limit)
  const last = keys.at(-1)
  return { keys, ...(last && after.length > limit ? { cursor: cursorOf(last) } : {}) }
}

/** Reads a request, or says what is wrong with it. @param what  what its parts are called */
export const flawIn = <S extends v.GenericSchema>(
  schema: S,
  given: unknown,
  what: 'member' | 'parameter',
): { ok: true; value: v.InferOutput<S> } | { ok: false; why: string } => {
  // To the schema an array is an object without members.
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    return { ok: false, why: 'the body is an object' }
  const read = v.safeParse(schema, given)
  if (read.success) return { ok: true, value: read.output }
  const [{ message, path, type, received }] = read.issues
  const name = String(path?.[0]?.key ?? '').slice(0, 64)
  if (type === 'strict_object' && received === 'undefined') return { ok: false, why: `the member ${name} is missing` }
  if (type === 'strict_object') return { ok: false, why: `there is no ${what} ${JSON.stringify(name)}` }
  return { ok: false, why: `${name} ${message}` }
}
