import { fail, ok, type Result } from '@saoma/protocol'

/** Parses a whole number of a query. A number above `most` counts as `most`. */
export const count = (text: string | string[] | undefined, fallback: number, most: number): Result<number> => {
  if (text === undefined) return ok(fallback)
  return typeof text === 'string' && /^\d{1,15}$/.test(text) ? ok(Math.min(Number(text), most)) : fail('INVALID')
}
