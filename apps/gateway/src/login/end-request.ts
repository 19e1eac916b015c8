import * as v from 'valibot'
import type { Shape } from '../transport/http/shape.ts'

const SID_RULE = 'is the id of a session, or absent'
/** The id of a session, Saoma's or a business's own. */
export const Sid = v.pipe(v.string(SID_RULE), v.minLength(1, SID_RULE), v.maxLength(128, SID_RULE))
/** Most characters of a reason: two lines on a phone. */
export const LONGEST_REASON = 200
const REASON_RULE = `is a sentence of up to ${LONGEST_REASON} characters without line breaks, or absent`
/** Control characters, ends of lines, halves of characters, and what turns the direction of text. */
const UNFIT = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_C}]/u
/** A sentence for a person, which pages and terminals show. */
export const Reason = v.pipe(
  v.string(REASON_RULE),
  v.maxLength(LONGEST_REASON, REASON_RULE),
  v.regex(/\S/, REASON_RULE),
  v.check((text) => !UNFIT.test(text), REASON_RULE),
)

const [id, reason] = [v.optional(Sid), v.optional(Reason)]
/** Body of `POST /v1/users/{user}/end`. */
export const EndRequest = v.union([v.strictObject({ sid: id, reason }), v.strictObject({ keep: id, reason })])

/** The same, for whoever reads it. */
export const endRequest: Shape<v.InferOutput<typeof EndRequest>> = {
  schema: EndRequest,
  parts: { sid: id, keep: id, reason },
  form: 'the body is an object with sid, keep and reason, or absent',
  unknown: (what, name) => `there is no ${what} ${JSON.stringify(name)}: there are sid, keep and reason`,
  needs: 'give sid or keep, not both',
}
