import type { VerificationDemand } from '@saoma/protocol'
import { decodeJwt } from 'jose'
import { errors, interactionPolicy, type KoaContextWithOIDC } from './oidc-provider.ts'
import { askedNow, demandFor, isImpossible, isMet, unmet } from './verification.ts'

const { Check, Prompt, base } = interactionPolicy

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
 * - A login that was verified by less than the application needs is done again. If what it asks for cannot be
 *   given, or was not given, that is an error and no silent yes.
 * - If another person than the expected one has scanned, that is an error (OpenID Connect Core, section
 *   3.1.2.1). The provider would answer for the other person, or ask for ever.
 * - A program on the person's machine could be any program (RFC 8252, section 8.6). So it gets no answer
 *   without anybody knowing: the person has just scanned, or is asked.
 *
 * @param admit  called before a request begins to wait for a person. Rejects if it may not
 * @param mayComeFromHere  throws if the application's logins may not begin in the network of the request
 * @param demandOf  what is demanded of a login for a client
 */
export const createPolicy = (
  admit: (ctx: KoaContextWithOIDC) => Promise<void>,
  mayComeFromHere: (ctx: KoaContextWithOIDC) => void,
  demandOf: (clientId: string) => VerificationDemand,
): interactionPolicy.DefaultPolicy => {
  const policy = base()
  // The first prompt, so this comes before single sign-on as well.
  const here = new Check('network', 'logins may not begin here', (ctx) => {
    mayComeFromHere(ctx)
    return Check.NO_NEED_TO_PROMPT
  })
  policy.add(new Prompt({ name: 'select_account', requestable: true }, here), 0)
  policy.get('login')?.checks.add(
    new Check('verification', 'this login has to be verified by more', 'login_required', (ctx) => {
      const { session, result, client } = ctx.oidc
      const [demand, wanted] = [demandOf(client?.clientId ?? ''), askedNow(ctx)]
      if (isImpossible(ctx) || demandFor(demand, wanted) === undefined) throw unmet()
      if (!session?.accountId || isMet(session.acr, demand, wanted)) return Check.NO_NEED_TO_PROMPT
      if (result?.login) throw unmet()
      return Check.REQUEST_PROMPT
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
