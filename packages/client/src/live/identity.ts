import { decodeClaims } from '../core/claims.ts'
import { now } from '../core/clock.ts'
import { type Answer, unanswered } from '../core/request.ts'
import type { Tokens } from '../core/tokens.ts'

/** Claims that differ in every token of the same person; the last ones are Azure's. */
const OF_THE_TOKEN = new Set(['exp', 'iat', 'nbf', 'jti', 'at_hash', 'nonce', 'uti', 'aio', 'rh'])

/**
 * The person of a token and its rights: all claims except times and ids of the token. Undefined for an
 * unreadable token. Tokens with the same identity are interchangeable.
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

/** A token that was requested longer ago may have been replaced. */
const FRESH_MS = 5_000

/** A person's identity, and the token that showed it. */
export interface Known {
  identity: string
  first: Answer<string> & { ok: true }
  askedAt: number
}

/**
 * The tokens of one person.
 * @param first    the token that was requested at `askedAt` (by `now()`) to learn the identity. It is used
 *   first, without another request
 * @param onOther  called when the next token belongs to another person, or has other rights
 */
export const tokensOf = (tokens: Tokens, { identity, first, askedAt }: Known, onOther: () => void): Tokens => {
  const until = askedAt + FRESH_MS
  let given: Answer<string> | undefined = first

  const own = (answer: Answer<string>): Answer<string> => {
    if (!answer.ok || identityOf(answer.value) === identity) return answer
    onOther()
    return unanswered('The token now belongs to another person.')
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
