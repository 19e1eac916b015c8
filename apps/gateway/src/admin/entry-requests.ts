import * as v from 'valibot'

/*
 * What the routes of API keys and those of applications have in common.
 */

const MOST_OVERLAP_SECONDS = 30 * 86_400
const USUAL_OVERLAP_SECONDS = 86_400
const PAGE = { usual: 50, most: 500 }

/** The parameters or members of a route that takes none. */
export const Nothing = v.strictObject({})

const OVERLAP_RULE = `is a whole number of seconds, ${MOST_OVERLAP_SECONDS} at most`
/** Body of the routes that rotate a secret. */
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

const CURSOR_RULE = 'is that of the page before'
/** Parameters of a list. @param place  what a place in it looks like */
export const listQuery = (place: RegExp) =>
  v.strictObject({
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
        v.maxLength(128, CURSOR_RULE),
        v.transform((text) => Buffer.from(text, 'base64url').toString()),
        v.regex(place, CURSOR_RULE),
      ),
    ),
  })

/**
 * A page of a list that is in order. Its cursor names a place, so it survives changes of the list.
 *
 * @param placeOf  the place of an item
 */
export const pageOf = <T>(
  all: readonly T[],
  { limit, cursor }: v.InferOutput<ReturnType<typeof listQuery>>,
  placeOf: (item: T) => string,
): { items: readonly T[]; cursor?: string } => {
  const after = cursor === undefined ? all : all.filter((item) => placeOf(item) > cursor)
  const items = after.slice(0, limit)
  const last = items.at(-1)
  if (!last || after.length <= limit) return { items }
  return { items, cursor: Buffer.from(placeOf(last)).toString('base64url') }
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
