import { fail, ok, type Result } from '@saoma/protocol'
import type { Backend } from './principal.ts'

/** What a key may do, and until when. */
export type Rights = Pick<Backend, 'channels' | 'may' | 'scopes' | 'expiresAt'>

/**
 * Whether everything that matches `wanted` matches `own` too: `room:ab` and `room:a*` are within `room:a*`.
 */
export const isWithin = (wanted: string, own: string): boolean =>
  own.endsWith('*') ? wanted.replace(/\*$/, '').startsWith(own.slice(0, -1)) : wanted === own

/**
 * Whether a key may give these rights, or change a key that has them: it must have them all itself. Otherwise
 * it could make, or rotate, a key that may do more. SCOPE_MISSING if it lacks a scope, FORBIDDEN for the
 * rest.
 */
export const mayGive = (own: Rights, wanted: Rights): Result<true> => {
  const scope = wanted.scopes.find((one) => !own.scopes.includes(one))
  if (scope !== undefined) return { ...fail('SCOPE_MISSING'), detail: `only a key with the scope ${scope} may give it` }
  const pattern = wanted.channels.find((one) => !own.channels.some((mine) => isWithin(one, mine)))
  if (pattern !== undefined) return { ...fail('FORBIDDEN'), detail: `no pattern of your key covers ${pattern}` }
  const act = wanted.may.find((one) => !own.may.includes(one))
  if (act !== undefined) return { ...fail('FORBIDDEN'), detail: `your key may not ${act} itself` }
  if (wanted.expiresAt > own.expiresAt)
    return {
      ...fail('FORBIDDEN'),
      detail: `your key expires at ${new Date(own.expiresAt).toISOString()}, which must be later`,
    }
  return ok(true)
}
