import * as v from 'valibot'
import { fail, ok, type Result } from './codes.ts'

/** A parser from `unknown`. Unknown extra keys are dropped; anything that does not fit is INVALID. */
export const parser =
  <T>(schema: v.GenericSchema<unknown, T>): ((input: unknown) => Result<T>) =>
  (input) => {
    const result = v.safeParse(schema, input)
    return result.success ? ok(result.output) : fail('INVALID')
  }
