import * as v from 'valibot'

/** More scopes than there are, each longer than any. */
const MOST_SCOPES = 20
const LONGEST_SCOPE = 64

/**
 * Body of a confirm. `scopes` is what the phone has shown to the person. It has to be that of the request, if
 * the application belongs to somebody else.
 */
export const Confirmation = v.object({
  scopes: v.optional(v.pipe(v.array(v.pipe(v.string(), v.maxLength(LONGEST_SCOPE))), v.maxLength(MOST_SCOPES))),
})
