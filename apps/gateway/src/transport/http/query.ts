import { fail, ok, type Result } from '@saoma/protocol'
import * as v from 'valibot'

/** A whole number as it is written in a query. */
export const WholeNumber = v.pipe(v.string(), v.regex(/^\d{1,15}$/))
/** A whole number above 0. */
export const Ordinal = v.pipe(v.string(), v.regex(/^(?!0+$)\d{1,15}$/))

/** Parses a whole number of a query. A number above `most` counts as `most`. */
export const count = (text: string | string[] | undefined, fallback: number, most: number): Result<number> => {
  if (text === undefined) return ok(fallback)
  return v.is(WholeNumber, text) ? ok(Math.min(Number(text), most)) : fail('INVALID')
}
