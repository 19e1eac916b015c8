import * as v from 'valibot'
import { shapeOf } from '../transport/http/shape.ts'
import { CURSOR_RULE, ListLimit } from './query.ts'

/*
 * What the routes of API keys and those of applications have in common.
 */

const MOST_OVERLAP_SECONDS = 30 * 86_400
const USUAL_OVERLAP_SECONDS = 86_400

/** The parameters or members of a route that takes none. */
export const nothing = shapeOf(v.strictObject({}))

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

export const rotation = shapeOf(RotateRequest)

/** Parameters of a list. @param place  what a place in it looks like */
export const listQuery = (place: RegExp) =>
  shapeOf(
    v.strictObject({
      limit: ListLimit,
      cursor: v.optional(
        v.pipe(
          v.string(),
          v.maxLength(128, CURSOR_RULE),
          v.transform((text) => Buffer.from(text, 'base64url').toString()),
          v.regex(place, CURSOR_RULE),
        ),
      ),
    }),
  )

/**
 * A page of a list that is in order. Its cursor names a place, so it survives changes of the list.
 *
 * @param placeOf  the place of an item
 */
export const pageOf = <T>(
  all: readonly T[],
  { limit, cursor }: { limit: number; cursor?: string | undefined },
  placeOf: (item: T) => string,
): { items: readonly T[]; cursor?: string } => {
  const after = cursor === undefined ? all : all.filter((item) => placeOf(item) > cursor)
  const items = after.slice(0, limit)
  const last = items.at(-1)
  if (!last || after.length <= limit) return { items }
  return { items, cursor: Buffer.from(placeOf(last)).toString('base64url') }
}
