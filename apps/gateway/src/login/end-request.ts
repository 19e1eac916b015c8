import * as v from 'valibot'

/** The id of a session, Saoma's or a business's own. */
export const Sid = v.pipe(v.string(), v.minLength(1), v.maxLength(128))
/** Most characters of a reason: two lines on a phone. */
export const LONGEST_REASON = 200
/** Control characters, ends of lines, halves of characters, and what turns the direction of text. */
const UNFIT = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_C}]/u
/** A sentence for a person, which pages and terminals show. */
export const Reason = v.pipe(
  v.string(),
  v.maxLength(LONGEST_REASON),
  v.regex(/\S/),
  v.check((text) => !UNFIT.test(text)),
)

const reason = v.optional(Reason)
/** Body of `POST /v1/users/{user}/end`. */
export const EndRequest = v.union([
  v.strictObject({ sid: v.optional(Sid), reason }),
  v.strictObject({ keep: v.optional(Sid), reason }),
])

const members = { sid: v.optional(Sid), keep: v.optional(Sid), reason } as const
const RULES: Readonly<Record<keyof typeof members, string>> = {
  sid: 'sid is the id of a session, or absent',
  keep: 'keep is the id of a session, or absent',
  reason: `reason is a sentence of up to ${LONGEST_REASON} characters without line breaks, or absent`,
}
const isMember = (name: string): name is keyof typeof members => Object.hasOwn(members, name)

/** What is wrong with a body that is no `EndRequest`, for the developer of a backend. */
export const flawOf = (body: unknown): string => {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    return 'the body is an object with sid, keep and reason, or absent'
  for (const [name, value] of Object.entries(body)) {
    if (!isMember(name))
      return `there is no member ${JSON.stringify(name.slice(0, 64))}: there are sid, keep and reason`
    if (!v.is(members[name], value)) return RULES[name]
  }
  return 'give sid or keep, not both'
}
