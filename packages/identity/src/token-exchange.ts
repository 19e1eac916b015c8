import type { Accounts, Meeting, OutsideIdentity } from '@saoma/accounts'
import { type KeyProof, readProof } from './key-proof.ts'
import { errors, type KoaContextWithOIDC, type ResourceServer } from './oidc-provider.ts'
import { orOutage } from './outage.ts'
import { scopesOf, signPhoneToken } from './phone-token.ts'
import { refusalOf } from './refusal.ts'
import type { RequestState } from './request-state.ts'

const TYPE = 'urn:ietf:params:oauth:token-type:'
export type SubjectTokenType = 'jwt' | 'id_token' | 'access_token'
/** What a subject token may be (RFC 8693, section 3). All of them are JWTs. */
const subjectTypes: ReadonlyMap<unknown, SubjectTokenType> = new Map(
  (['jwt', 'id_token', 'access_token'] as const).map((name) => [`${TYPE}${name}`, name]),
)
const ACCESS_TOKEN = `${TYPE}access_token`

/** The result for a token of a company's own app: a person, or the reason why there is none. */
export type AppRecognition =
  | { ok: true; identity: OutsideIdentity; meeting?: Meeting }
  /** `message` is for the developer of the app. */
  | { ok: false; kind: 'rejected'; message: string }
  /** Nobody can say at the moment whether the token is good. */
  | { ok: false; kind: 'unavailable' }

/** What is known of the request that brings a token. */
export interface Bringer {
  /** Address of the client. */
  from: string
  /** Thumbprint of the key that the request has proved. */
  jkt?: string
}
/**
 * Says who the person of a token is, and uses the token up. Rejects with RedisUnavailable.
 */
export type RecogniseApp = (token: string, type: SubjectTokenType, bringer: Bringer) => Promise<AppRecognition>

export interface TokenExchangeDeps {
  accounts: Pick<Accounts, 'of'>
  recogniseApp: RecogniseApp
  origin: string
  /** Whom a phone's token is for, as its `aud` says it. */
  audience: string
  serverOf: (clientId: string) => ResourceServer
}

/** The parameters of the grant, and those that a request may have several times. */
export const exchangeParameters: readonly string[] = [
  'subject_token',
  'subject_token_type',
  'actor_token',
  'actor_token_type',
  'requested_token_type',
  'resource',
  'audience',
  'scope',
]
export const exchangeRepeats: readonly string[] = ['resource', 'audience']

/** Bytes of a subject token: more than an access token has, because an id token may hold a profile. */
const LONGEST = 8_192

const listOf = (value: unknown): unknown[] => (value === undefined ? [] : Array.isArray(value) ? value : [value])

/** What the request sends, if we can do what it asks for. */
const readRequest = (params: Record<string, unknown>, targets: readonly unknown[]) => {
  const { subject_token: token, subject_token_type: named, requested_token_type: wanted } = params
  if (typeof token !== 'string' || token === '') throw new errors.InvalidRequest('subject_token is missing')
  if (token.length > LONGEST) throw new errors.InvalidRequest(`subject_token has more than ${LONGEST} bytes`)
  const type = subjectTypes.get(named)
  if (type === undefined)
    throw new errors.InvalidRequest(`subject_token_type must be one of ${[...subjectTypes.keys()].join(', ')}`)
  if (wanted !== undefined && wanted !== ACCESS_TOKEN)
    throw new errors.InvalidRequest(`requested_token_type can only be ${ACCESS_TOKEN}`)
  if (params.actor_token !== undefined || params.actor_token_type !== undefined)
    throw new errors.InvalidRequest('nobody can act for somebody else here: leave out actor_token')
  if (![...listOf(params.resource), ...listOf(params.audience)].every((target) => targets.includes(target)))
    throw Object.assign(new errors.InvalidTarget(), {
      error_description: `a phone's token is for ${targets.join(' or ')} alone`,
    })
  return { token, type }
}

/**
 * The grant type of a company's own app (RFC 8693): it exchanges a token of the app's backend for the token
 * of a phone. With the proof of a key (RFC 9449) the new token is bound to that key.
 */
export const tokenExchangeGrant =
  ({ accounts, recogniseApp, origin, audience, serverOf }: TokenExchangeDeps) =>
  async (ctx: KoaContextWithOIDC): Promise<void> => {
    const { provider, client, params } = ctx.oidc
    const { token, type } = readRequest({ ...params }, [origin, audience])
    const scopes = scopesOf(ctx)

    const proofOf = async (): Promise<string | undefined> => {
      const jwt = ctx.get('DPoP')
      if (jwt === '') return undefined
      const proof: KeyProof = { jwt, method: 'POST', url: `${origin}/oidc/token` }
      const proven = await readProof(proof)
      if (!proven) throw new errors.InvalidDpopProof('the proof in the header DPoP does not fit this request')
      // It rejects with `invalid_grant` if the proof was used before.
      await provider.ReplayDetection.unique(client?.clientId ?? '', proven.id, proven.until)
      return proven.jkt
    }

    const jkt = await proofOf()
    const withKey = jkt === undefined ? {} : { jkt }
    const recognised = await orOutage(recogniseApp(token, type, { from: ctx.ip, ...withKey }))
    if (!recognised.ok) {
      // RFC 8693, section 2.2.2: whatever is wrong with the token has this error.
      if (recognised.kind === 'rejected') throw new errors.InvalidRequest(recognised.message)
      throw refusalOf(ctx, { allow: false, why: 'BACKEND_UNAVAILABLE' })
    }
    const account = await orOutage(accounts.of(recognised.identity, recognised.meeting))
    if (!account.allow) throw refusalOf(ctx, account)
    const signed = await signPhoneToken(ctx, {
      ...{ sub: account.sub, gty: 'token_exchange', scopes, resource: origin, serverOf },
      ...withKey,
    })
    const state = ctx.state as RequestState
    state.phone = { sub: account.sub, app: recognised.identity.app }
    ctx.body = { ...signed, issued_token_type: ACCESS_TOKEN }
  }
