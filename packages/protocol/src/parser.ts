import * as v from 'valibot'
import { fail, ok, type Result } from './codes.ts'

/** A whole number that is not negative. */
export const Count = v.pipe(v.number(), v.integer(), v.minValue(0))

const memberOf = ({ path }: v.BaseIssue<unknown>): string[] => {
  const key = path?.[0]?.key
  return typeof key === 'string' ? [key] : []
}

/**
 * Creates a parser from `unknown`. Unknown keys are dropped. Malformed input gives INVALID, with the members
 * in `unfit`.
 */
export const parser =
  <T>(schema: v.GenericSchema<unknown, T>): ((input: unknown) => Result<T>) =>
  (input) => {
    const result = v.safeParse(schema, input)
    return result.success
      ? ok(result.output)
      : { ...fail('INVALID'), unfit: [...new Set(result.issues.flatMap(memberOf))] }
  }
