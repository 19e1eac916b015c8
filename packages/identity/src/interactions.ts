import { fail, ok, type Result } from '@saoma/protocol'
import type { Applications } from './applications.ts'
import type { ClientRegistry } from './client.ts'
import type { Grants } from './grants.ts'
import { BEGUN } from './interaction-records.ts'
import { loginClientOf } from './login-client.ts'
import type { Provider } from './oidc-provider.ts'
import { unwrapped } from './outage.ts'
import type { LoginProof } from './verify.ts'
import { wordsOf } from './words.ts'

type Interaction = InstanceType<Provider['Interaction']>

/** What the page of an interaction displays. */
export interface InteractionView {
  /** `login`: the person has to scan. `consent`: the person decides what the application may know. */
  prompt: 'login' | 'consent'
  application: { id: string; name: string; logo?: string }
  /** What the application asks for, and has not got yet. */
  scopes: readonly string[]
  claims: readonly string[]
  /** Languages that the application wishes, best first (BCP 47). */
  languages: readonly string[]
}

/**
 * The authorization requests that wait for a person. Each is known by its uid, which the browser that began
 * it has in a cookie: the caller must have read it from there. Every call rejects with RedisUnavailable.
 */
export interface Interactions {
  /** Undefined if it is over. */
  view(uid: string): Promise<InteractionView | undefined>
  /**
   * Finishes a login. `token` is the access token of the interaction's own client. Resolves with the address
   * at which the browser goes on. Fails with NOT_FOUND or UNAUTHORIZED.
   */
  logIn(uid: string, token: string): Promise<Result<string>>
  /** The person lets the application know what it asks for. Fails with NOT_FOUND. */
  agree(uid: string): Promise<Result<string>>
  /** The person gives up. The application is told. Fails with NOT_FOUND. */
  decline(uid: string): Promise<Result<string>>
}

export interface InteractionsDeps {
  provider: () => Provider
  applications: Pick<Applications, 'extended' | 'allowedClaims'>
  registry: ClientRegistry
  grants: Pick<Grants, 'hasSession'>
  /** Verifies the access token of a login client. */
  verify: (token: string) => Promise<Result<LoginProof>>
}

/** What the provider says is missing. */
interface Missing {
  missingOIDCScope?: string[]
  missingOIDCClaims?: string[]
  missingResourceScopes?: Record<string, string[]>
}

const UID = /^[A-Za-z0-9_-]{16,64}$/

export const createInteractions = ({
  provider,
  applications,
  registry,
  grants,
  verify,
}: InteractionsDeps): Interactions => {
  const find = async (uid: string): Promise<Interaction | undefined> =>
    UID.test(uid) ? unwrapped(provider().Interaction.find(uid)) : undefined

  const finish = async (interaction: Interaction, result: NonNullable<Interaction['result']>): Promise<string> => {
    interaction.result = result
    await unwrapped(interaction.persist())
    return interaction.returnTo
  }

  const isConsent = ({ prompt }: Interaction): boolean => prompt.name === 'consent'

  return {
    view: async (uid) => {
      const interaction = await find(uid)
      const client = interaction && registry.find(String(interaction.params.client_id))
      if (!client) return undefined
      const { missingOIDCScope = [], missingOIDCClaims = [] } = interaction.prompt.details as Missing
      return {
        prompt: isConsent(interaction) ? 'consent' : 'login',
        application: { id: client.id, name: client.name, ...(client.logo ? { logo: client.logo } : {}) },
        scopes: missingOIDCScope,
        // What it may not have is refused without asking.
        claims: applications.allowedClaims(client.id, missingOIDCClaims),
        languages: wordsOf(interaction.params.ui_locales).slice(0, 10),
      }
    },

    logIn: async (uid, token) => {
      const proof = await verify(token)
      const [interaction, isOpen] = await Promise.all([find(uid), proof.ok && grants.hasSession(proof.value.sid)])
      if (!interaction || isConsent(interaction)) return fail('NOT_FOUND')
      if (!proof.ok) return proof
      const { sub, sid, clientId, authTime, acr, amr } = proof.value
      // The login of another interaction would put its person into this browser.
      if (clientId !== loginClientOf(uid) || !isOpen) return fail('UNAUTHORIZED')
      const login = { accountId: sub, ts: authTime, acr, amr, remember: true }
      return ok(await finish(interaction, { login, select_account: {}, [BEGUN]: { sid } }))
    },

    agree: async (uid) => {
      const interaction = await find(uid)
      const { session, params } = interaction ?? {}
      if (!interaction || !isConsent(interaction) || !session || !(await grants.hasSession(session.uid)))
        return fail('NOT_FOUND')
      const { accountId, uid: sid } = session
      const clientId = String(params?.client_id)
      const { Grant } = provider()
      const found = interaction.grantId ? await unwrapped(Grant.find(interaction.grantId)) : undefined
      const details = interaction.prompt.details as Missing
      const { missingOIDCScope: scopes = [], missingOIDCClaims: claims = [] } = details
      const grant = applications.extended(found, [accountId, clientId, sid], { scopes, claims, resources: [] })
      for (const [resource, missing] of Object.entries(details.missingResourceScopes ?? {}))
        grant.addResourceScope(resource, missing)
      const consent = { grantId: await unwrapped(grant.save()) }
      return ok(await finish(interaction, { ...interaction.lastSubmission, consent }))
    },

    decline: async (uid) => {
      const interaction = await find(uid)
      if (!interaction) return fail('NOT_FOUND')
      return ok(await finish(interaction, { error: 'access_denied', error_description: 'the person has declined' }))
    },
  }
}
