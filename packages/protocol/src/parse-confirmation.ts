import * as v from 'valibot'
import type { Result } from './codes.ts'
import { parser } from './parser.ts'
import type { ConfirmationBody } from './routes.ts'
import { verificationModes } from './verification.ts'

/* What a phone and a page say about a verification, as in `parse.ts`. */

/** More scopes than there are, each longer than any. */
const MOST_SCOPES = 20
const LONGEST_SCOPE = 64

/** Two digits, where there are any. */
export const Digits = v.optional(v.pipe(v.string(), v.regex(/^\d{2}$/)))
/** A node of a former version demands a tap, and does not say so. */
export const Mode = v.optional(v.picklist(verificationModes), 'tap')

export const Confirmation = v.object({
  scopes: v.optional(v.pipe(v.array(v.pipe(v.string(), v.maxLength(LONGEST_SCOPE))), v.maxLength(MOST_SCOPES))),
  number: Digits,
})

const parse = parser(Confirmation)

/**
 * Body of `POST /v1/tickets/{ticket}/confirm`: `scopes`, if they are there, are those that the phone has
 * shown to the person, and `number` is the two digits that the person has typed.
 *
 * @example
 * ```ts
 * import { parseConfirmation } from '@saoma/protocol'
 * console.log(parseConfirmation({ number: '47' })) // -> { ok: true, value: { number: '47' } }
 * console.log(parseConfirmation({ number: 47 })) // -> { ok: false, code: 'INVALID', unfit: [ 'number' ] }
 * ```
 */
export const parseConfirmation = (input: unknown): Result<ConfirmationBody> =>
  // To the schema an array is an object.
  parse(Array.isArray(input) ? undefined : input)
