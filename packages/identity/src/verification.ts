import { isAtLeast, type VerificationDemand, type VerificationMode } from '@saoma/protocol'
import { acrOf, givenModes, modeOf } from './authentication.ts'
import { errors, type KoaContextWithOIDC } from './oidc-provider.ts'

/** What an application asks for by `acr_values`, or by the claim `acr` of its `claims`. */
export interface AskedAcrs {
  /** Its words, the best first. */
  acrs: readonly string[]
  /** Whether the token must have one of these words. Otherwise something stronger does as well. */
  essential: boolean
}

const NOTHING: AskedAcrs = { acrs: [], essential: false }

const asked = (request: unknown): AskedAcrs => {
  const { value, values, essential } = Object(request) as { value?: unknown; values?: unknown; essential?: unknown }
  const acrs = [value, ...(Array.isArray(values) ? values : [])].filter((acr) => typeof acr === 'string')
  return { acrs, essential: essential === true && acrs.length > 0 }
}

/** What the present authorization request asks for. */
export const askedNow = ({ oidc }: KoaContextWithOIDC): AskedAcrs => asked(oidc.claims?.id_token?.acr)

/** Whether a word is essential that is no text. Nobody can give that, and the provider would ask for ever. */
export const isImpossible = (ctx: KoaContextWithOIDC): boolean => {
  const claim = Object(ctx.oidc.claims?.id_token?.acr) as { essential?: unknown; value?: unknown; values?: unknown }
  const isNamed = claim.value !== undefined || claim.values !== undefined
  return Boolean(claim.essential) && isNamed && askedNow(ctx).acrs.length === 0
}

/** The same of the parameters of a request that waits. The provider has checked them. */
export const askedIn = (params: { acr_values?: unknown; claims?: unknown }): AskedAcrs => {
  // The parameter takes the place of the claim, as in the provider.
  if (typeof params.acr_values === 'string' && params.acr_values !== '')
    return { acrs: params.acr_values.split(' '), essential: false }
  if (typeof params.claims !== 'string') return NOTHING
  const claims = JSON.parse(params.claims) as { id_token?: { acr?: unknown } | null }
  return asked(claims.id_token?.acr)
}

/** The least by which a demand is met. */
const leastOf = (demand: VerificationDemand): VerificationMode => (demand === 'network-or-number' ? 'number' : demand)

/** The modes among these words in which somebody may log in where `demand` is the least. */
const possible = ({ acrs }: AskedAcrs, demand: VerificationDemand): VerificationDemand[] =>
  acrs.flatMap((acr) => givenModes.find((mode) => acrOf(mode) === acr && isAtLeast(mode, leastOf(demand))) ?? [])

/**
 * What is demanded of a new login: what the application asks for, and never less than `demand`. Undefined if
 * both together cannot be.
 *
 * @param demand  that of the client
 */
export const demandFor = (demand: VerificationDemand, wanted: AskedAcrs): VerificationDemand | undefined => {
  if (wanted.acrs.length === 0) return demand
  if (!wanted.acrs.some((acr) => givenModes.some((mode) => acrOf(mode) === acr))) return undefined
  const modes = possible(wanted, demand)
  const [first] = modes
  // All that it asks for is less than the client's own. More is no harm, unless the word itself is essential.
  if (first === undefined) return wanted.essential ? undefined : demand
  return first === 'network' && modes.includes('number') ? 'network-or-number' : first
}

/** Whether somebody who has logged in like that need not log in again. */
export const isMet = (acr: string | undefined, demand: VerificationDemand, wanted: AskedAcrs): boolean => {
  const done = modeOf(acr)
  if (done === undefined || !isAtLeast(done, leastOf(demand))) return false
  if (wanted.acrs.length === 0) return true
  if (wanted.essential) return wanted.acrs.includes(acrOf(done))
  return wanted.acrs.some((word) => {
    const mode = modeOf(word)
    return mode !== undefined && isAtLeast(done, mode)
  })
}

/** The error for what cannot be: OpenID Connect has a name for it. */
export const unmet = (): Error =>
  new errors.UnmetAuthenticationRequirements('a login cannot be verified in the way that is asked for')
