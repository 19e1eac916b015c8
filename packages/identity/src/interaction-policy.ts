import { acrValues } from './authentication.ts'
import { errors, interactionPolicy, type KoaContextWithOIDC } from './oidc-provider.ts'

const { Check, Prompt, base } = interactionPolicy

/** What an application has asked for by `acr_values`, or by the claim `acr` of its `claims`. */
const wantedAcrs = ({ oidc }: KoaContextWithOIDC): string[] => {
  const { value, values } = (oidc.claims?.id_token?.acr ?? {}) as { value?: unknown; values?: unknown }
  return [value, ...(Array.isArray(values) ? values : [])].filter((acr) => typeof acr === 'string')
}

/**
 * When a person is asked what. The provider's own rules, and these:
 *
 * - `select_account`: the person scans again, perhaps with another phone.
 * - `acr_values`: if we can give none of them, that is an error and no silent yes.
 * - A program on the person's machine could be any program (RFC 8252, section 8.6). So it gets no answer
 *   without anybody knowing: the person has just scanned, or is asked.
 *
 * @param admit  called before a request begins to wait for a login. Rejects if it may not
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
      const wanted = wantedAcrs(ctx)
      if (wanted.length > 0 && !wanted.some((acr) => acrValues.includes(acr)))
        throw new errors.UnmetAuthenticationRequirements('none of the requested acr values can be given')
      return Check.NO_NEED_TO_PROMPT
    }),
    0,
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
  for (const prompt of policy.filter(({ name }) => name !== 'consent')) {
    const { details } = prompt
    // The provider asks for these before it stores the interaction.
    prompt.details = async (ctx) => {
      if (!ctx.oidc.prompts.has('none')) await admit(ctx)
      return details(ctx)
    }
  }
  return policy
}
