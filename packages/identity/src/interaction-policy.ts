import { decodeJwt } from 'jose'
import { acrValues } from './authentication.ts'
import { errors, interactionPolicy, type KoaContextWithOIDC } from './oidc-provider.ts'

const { Check, Prompt, base } = interactionPolicy

/**
 * Whether an application gets one of those that it has asked for by `acr_values`, or by the claim `acr` of
 * its `claims`. What is essential and no text cannot be given either: the provider would ask for ever.
 */
const meetsAcrs = ({ oidc }: KoaContextWithOIDC): boolean => {
  const asked = (oidc.claims?.id_token?.acr ?? {}) as { essential?: unknown; value?: unknown; values?: unknown }
  const { essential, value, values } = asked
  const wanted = [value, ...(Array.isArray(values) ? values : [])].filter((acr) => typeof acr === 'string')
  const isBound = wanted.length > 0 || (Boolean(essential) && (value !== undefined || values !== undefined))
  return !isBound || wanted.some((acr) => acrValues.includes(acr))
}

/** The person whom the application expects, by `id_token_hint` or by the claim `sub` of its `claims`. */
const expectedPerson = ({ oidc }: KoaContextWithOIDC): unknown => {
  const { id_token_hint: hint } = oidc.params ?? {}
  const { value } = (oidc.claims?.id_token?.sub ?? {}) as { value?: unknown }
  // The provider has verified it before the request began to wait.
  return value ?? (typeof hint === 'string' ? decodeJwt(hint).sub : undefined)
}

/**
 * When a person is asked what. The provider's own rules, and these:
 *
 * - `select_account`: the person scans again, perhaps with another phone.
 * - `acr_values`: if we can give none of them, that is an error and no silent yes.
 * - If another person than the expected one has scanned, that is an error (OpenID Connect Core, section
 *   3.1.2.1). The provider would answer for the other person, or ask for ever.
 * - A program on the person's machine could be any program (RFC 8252, section 8.6). So it gets no answer
 *   without anybody knowing: the person has just scanned, or is asked.
 *
 * @param admit  called before a request begins to wait for a person. Rejects if it may not
 * @param mayComeFromHere  throws if the application's logins may not begin in the network of the request
 */
export const createPolicy = (
  admit: (ctx: KoaContextWithOIDC) => Promise<void>,
  mayComeFromHere: (ctx: KoaContextWithOIDC) => void,
): interactionPolicy.DefaultPolicy => {
  const policy = base()
  // The first prompt, so this comes before single sign-on as well.
  const here = new Check('network', 'logins may not begin here', (ctx) => {
    mayComeFromHere(ctx)
    return Check.NO_NEED_TO_PROMPT
  })
  policy.add(new Prompt({ name: 'select_account', requestable: true }, here), 0)
  policy.get('login')?.checks.add(
    new Check('acr_unmet', 'none of the requested acr values can be given', (ctx) => {
      if (!meetsAcrs(ctx))
        throw new errors.UnmetAuthenticationRequirements('none of the requested acr values can be given')
      return Check.NO_NEED_TO_PROMPT
    }),
    0,
  )
  policy.get('login')?.checks.add(
    new Check('other_person', 'another person has logged in', (ctx) => {
      const { result, session } = ctx.oidc
      const expected = result?.login === undefined ? undefined : expectedPerson(ctx)
      if (expected !== undefined && expected !== session?.accountId)
        throw new errors.LoginRequired('another person has logged in')
      return Check.NO_NEED_TO_PROMPT
    }),
    1,
  )
  const consent = policy.get('consent')
  consent?.checks.remove('native_client_prompt')
  consent?.checks.add(
    new Check('native_client_prompt', 'this program needs somebody to agree', 'interaction_required', ({ oidc }) => {
      const isAsked = oidc.result?.login !== undefined || oidc.result?.consent !== undefined
      return oidc.client?.applicationType === 'native' && !isAsked ? Check.REQUEST_PROMPT : Check.NO_NEED_TO_PROMPT
    }),
    1,
  )
  for (const prompt of policy) {
    const { details } = prompt
    // The provider asks for these before it stores the interaction.
    prompt.details = async (ctx) => {
      // Who has just scanned was counted already.
      const isNext = prompt.name === 'consent' && ctx.oidc.route === 'resume'
      if (!ctx.oidc.prompts.has('none') && !isNext) await admit(ctx)
      return details(ctx)
    }
  }
  return policy
}
