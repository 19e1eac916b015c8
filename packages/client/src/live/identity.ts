import { decodeClaims } from '../core/claims.ts'
import { now } from '../core/clock.ts'
import { type Answer, unanswered } from '../core/request.ts'
import type { Tokens } from '../core/tokens.ts'

/** Claims that are another in each token of one person; the last ones are of Azure. */
const OF_THE_TOKEN = new Set(['exp', 'iat', 'nbf', 'jti', 'at_hash', 'nonce', 'uti', 'aio', 'rh'])

/**
 * Who somebody is here and what they may: all that a token says, but for its own times and number. Undefined
 * for one that cannot be read. Two tokens with the same identity are as good as each other.
 */
export const identityOf = (token: string): string | undefined => {
  const claims = decodeClaims(token)
  if (!claims) return undefined
  return JSON.stringify(
    Object.entries(claims)
      .filter(([claim]) => !OF_THE_TOKEN.has(claim))
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  )
}

/** A token that was asked for so long ago may have been replaced. */
const FRESH_MS = 5_000

/** Who somebody is, and how that was learned. */
export interface Known {
  identity: string
  first: Answer<string> & { ok: true }
  askedAt: number
}

/**
 * The tokens of one person.
 * @param first    was asked for at `askedAt`, by `now()`, to learn who it is, and need not be asked for again
 *   at once
 * @param onOther  the next token is another person's, or says that the person may do other things
 */
export const tokensOf = (tokens: Tokens, { identity, first, askedAt }: Known, onOther: () => void): Tokens => {
  const until = askedAt + FRESH_MS
  let given: Answer<string> | undefined = first

  const own = (answer: Answer<string>): Answer<string> => {
    if (!answer.ok || identityOf(answer.value) === identity) return answer
    onOther()
    return unanswered('The token is another person’s now.')
  }

  return {
    ...tokens,
    get: async () => {
      const fresh = now() < until ? given : undefined
      given = undefined
      return own(fresh ?? (await tokens.get()))
    },
    renew: async () => own(await tokens.renew()),
  }
}
