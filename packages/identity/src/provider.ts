import { randomBytes } from 'node:crypto'
import { DEVICE_CODE_GRANT, deviceCodeBits } from '@saoma/protocol'
import { answered } from './answered.ts'
import { type Applications, createApplications } from './applications.ts'
import { acrValues } from './authentication.ts'
import { endReplaced } from './browser-sessions.ts'
import { pageOrigins } from './client.ts'
import { compareHashedSecrets } from './client-secrets.ts'
import {
  ACCESS_TOKEN_SECONDS,
  claimsByScope,
  clientsOf,
  ownClients,
  SCOPES,
  SESSION_OF_BROWSER_SECONDS,
} from './clients.ts'
import { createDeviceFlow } from './device-flow.ts'
import { describeProvider } from './discovery.ts'
import { takeEmptyPasswords } from './empty-password.ts'
import { admitLogout, isLogout, logoutFeatures, sessionCookie, takeOldHints } from './end-session.ts'
import { errorPage } from './error-page.ts'
import { createPolicy } from './interaction-policy.ts'
import { createKnownBrowserLogin } from './known-browser-login.ts'
import { APPLICATION, DEMAND } from './login-client.ts'
import { type SendLogoutToken, takeLogoutTokens } from './logout-tokens.ts'
import { type Configuration, errors, type KoaContextWithOIDC, Provider } from './oidc-provider.ts'
import { orOutage, withOutage } from './outage.ts'
import { registerPhoneGrants } from './phone-grants.ts'
import type { ProviderDeps, ProviderOptions } from './provider-options.ts'
import { giveBackFailed } from './push.ts'
import { createPushedLogins } from './pushed-logins.ts'
import { PUSHED } from './pushed-request.ts'
import { createRefreshTokens, nameSuccessors } from './refresh-tokens.ts'
import { addProblem } from './refusal.ts'
import { reportRefusals } from './refusals.ts'
import { isNewProof } from './replayed-proof.ts'
import { type RequestState, requestState } from './request-state.ts'
import { createResources } from './resources.ts'
import { nameSessions, sessionClaims } from './session-claims.ts'
import { SESSION_SECONDS } from './sessions.ts'
import { SigningKey } from './signing-key.ts'
import { type KeyRings, signingAlgorithms } from './signing-keys.ts'
import { createStorage } from './storage.ts'
import { createStructuredTokens, introspectionFeature } from './structured-tokens.ts'
import { tooMany } from './too-many.ts'
import { createTrustedNetworks } from './trusted-networks.ts'
import { answerUsedUp } from './used-up.ts'

const MINUTE = 60
const DAY = 24 * 60 * MINUTE

/** The cookie of the browser that began an interaction. It is sent to the interaction's own address only. */
export const INTERACTION_COOKIE = 'saoma_interaction'
/** The provider's routes that people see. */
const AUTHORIZATION = new Set(['authorization', 'resume'])

/** What names a ticket, and proves the right to its answer. */
const CODES = new Set(['DeviceCode', PUSHED])

/** How long somebody may take from the application's page back to it. */
const INTERACTION_SECONDS = 15 * MINUTE

/**
 * One oidc-provider for one set of keys. It holds no state of its own, so a change of keys creates a new
 * provider.
 */
export const createProvider = (
  { redis, tickets, accounts, grants, sessions, registry, verify, pings, browsers, refreshTokenForm }: ProviderDeps,
  rings: KeyRings,
  options: ProviderOptions,
): { provider: Provider; applications: Applications; sendLogoutToken: SendLogoutToken } => {
  const { origin, appName } = options
  const newName = (): string => randomBytes(16).toString('base64url')
  const isOwn = (clientId: string): boolean => ownClients.includes(clientId)
  const networks = createTrustedNetworks(registry, options.networks)
  const resources = createResources(origin, isOwn, (clientId) => registry.find(clientId)?.party === 'first')
  /** What is demanded of a login for a client. */
  const demandOf = (clientId: string) => registry.find(clientId)?.verify ?? options.verify ?? 'tap'
  /** The tokens need the account. It is read while their session is written or read, and not after that. */
  const readAccount = (sub: string): void => {
    const state = requestState()
    if (!state) return
    state.account = { sub, found: accounts.find(sub) }
    // If the session cannot be written, nobody asks for it.
    state.account.found.catch(() => {})
  }

  const { push } = options
  const knownBrowser =
    push &&
    createKnownBrowserLogin(
      {
        browsers,
        push,
        isActive: async (sub) => (await accounts.find(sub))?.state === 'active',
        isNew: (jkt, id, until) => isNewProof(provider, jkt, id, until),
      },
      options,
    )

  const deviceFlow = createDeviceFlow(
    {
      provider: () => provider,
      tickets,
      registry,
      networks,
      grants,
      resources,
      sessions,
      demandOf,
      knownBrowser,
      newName,
      readAccount,
    },
    options,
  )

  const pushedLogins = push && createPushedLogins({ registry, networks, deviceFlow, push, pings, demandOf }, options)

  const ignore = () => {}
  const { onRefreshRepeated = ignore, onRefreshLimited = ignore } = options
  const refreshTokens = createRefreshTokens(redis, grants, refreshTokenForm, onRefreshRepeated, onRefreshLimited)
  const adapterOf = createStorage(redis, {
    grants,
    registry,
    ...{ deviceCodes: deviceFlow.codes, refreshTokens },
    ...(pushedLogins ? { pushedLogins: pushedLogins.requests } : {}),
    checkPushed: () => networks.checkPushed(Provider.ctx),
    waitingRequest: async (uid) => (await provider.Interaction.find(uid))?.params,
    demandOf,
    admit: async () => {
      if (Provider.ctx) await admit(Provider.ctx)
    },
    readAccount,
    readAhead: (sub, sid) => {
      readAccount(sub)
      const state = requestState()
      if (!state || sid === undefined) return
      state.entry = { sid, text: sessions.entryOf(sub, sid) }
      state.entry.text.catch(() => {})
    },
    expectCode: deviceFlow.expect,
    ownClaims: options.ownClaims,
  })
  const applications = createApplications(
    { provider: () => provider, registry, grants, sessions, newName },
    options.ownClaims,
  )

  /** What waits for a person costs memory, and anybody can ask for it. */
  const admit = async (ctx: KoaContextWithOIDC): Promise<void> => {
    const seconds = options.limitInteractions && (await orOutage(options.limitInteractions(ctx.ip)))
    if (seconds !== undefined) throw Object.assign(tooMany(ctx, seconds), { allow_redirect: false })
  }
  const policy = createPolicy(admit, networks.check, demandOf)
  const isAuthorization = (ctx: KoaContextWithOIDC): boolean => AUTHORIZATION.has(ctx.oidc.route)

  const configuration: Configuration = {
    adapter: (model) => withOutage(adapterOf(model)),
    jwks: { keys: signingAlgorithms.flatMap((alg) => rings[alg].map((jwk) => new SigningKey(jwk))) },
    cookies: {
      keys: [...options.cookieSecrets],
      names: { session: sessionCookie(origin), interaction: INTERACTION_COOKIE, resume: 'saoma_resume' },
    },
    clients: clientsOf(appName, options.recogniseApp !== undefined),
    extraClientMetadata: { properties: [APPLICATION, DEMAND] },
    enabledJWA: { idTokenSigningAlgValues: [...signingAlgorithms] },
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post'],
    responseTypes: ['code'],
    allowOmittingSingleRegisteredRedirectUri: false,
    scopes: [...SCOPES],
    claims: claimsByScope(options.ownClaims),
    conformIdTokenClaims: false,
    acrValues: [...acrValues],
    loadExistingGrant: (ctx) => orOutage(applications.loadGrant(ctx)),
    features: {
      devInteractions: { enabled: false },
      // Its route is ours (see userinfo.ts). It is on for the parameter `claims`, which names claims of it.
      userinfo: { enabled: true },
      claimsParameter: { enabled: true },
      ...logoutFeatures(origin),
      introspection: introspectionFeature(),
      revocation: { enabled: true, allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId },
      pushedAuthorizationRequests: { enabled: true },
      dPoP: { enabled: true },
      // An unstable feature. If a later version of the provider changes it, that version refuses this name
      // and no node starts.
      externalSigningSupport: { enabled: true, ack: 'experimental-01' },
      deviceFlow: deviceFlow.feature,
      ...(pushedLogins ? { ciba: pushedLogins.feature } : {}),
      resourceIndicators: {
        enabled: true,
        defaultResource: (_ctx, client, oneOf) => oneOf?.[0] ?? resources.usualOf(client.clientId),
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, resource, client) => resources.serverOf(resource, client.clientId),
      },
    },
    // A device code is the ticket's public id and the browser's secret in one string (see the protocol
    // package).
    formats: { bitsOfOpaqueRandomness: (_ctx, token) => (CODES.has(token.kind) ? deviceCodeBits : 258) },
    ttl: {
      AccessToken: ACCESS_TOKEN_SECONDS,
      IdToken: ACCESS_TOKEN_SECONDS,
      DeviceCode: options.codeSeconds,
      ...(pushedLogins ? { BackchannelAuthenticationRequest: pushedLogins.ttl } : {}),
      RefreshToken: 14 * DAY,
      Grant: SESSION_SECONDS,
      AuthorizationCode: MINUTE,
      Interaction: INTERACTION_SECONDS,
      // Of a browser that is not logged in it holds a question at most.
      Session: (_ctx, { accountId }) => (accountId ? SESSION_OF_BROWSER_SECONDS : INTERACTION_SECONDS),
    },
    rotateRefreshToken: true,
    expiresWithSession: () => false,
    // The provider drops `offline_access` from authorization requests without `prompt=consent`, which most
    // libraries do not send. That the administrator has registered this grant is condition enough (OpenID
    // Connect Core, section 11).
    issueRefreshToken: (_ctx, client, source) =>
      client.grantTypeAllowed('refresh_token') &&
      (source.scopes.has('offline_access') || registry.find(client.clientId) !== undefined),
    extraTokenClaims: sessionClaims,
    findAccount: async (ctx, sub) => {
      const reading = requestState()?.account
      const account = await orOutage(reading?.sub === sub ? reading.found : accounts.find(sub))
      // No token for an account that is disabled or deleted, also at a refresh.
      if (account?.state === 'active') return { accountId: sub, claims: () => ({ ...account.claims, sub }) }
      if (isAuthorization(ctx)) throw new errors.AccessDenied('this account is disabled or deleted')
      return undefined
    },
    // Whoever is admitted may call for every client of ours: the SDK logs in a mini-program in the same way
    // as a page. An application's page may call for its own client only.
    clientBasedCORS: (ctx, from, { clientId }) => {
      const client = registry.find(clientId)
      if (client && pageOrigins(client).includes(from)) return true
      // A page on a TV has no address to return to. So it is admitted like our own.
      return (!client || client.grants.includes(DEVICE_CODE_GRANT)) && options.admits(ctx.headers)
    },
    interactions: { policy, url: (_ctx, { uid }) => `${origin}/oidc/interaction/${uid}` },
    ...(options.fetch ? { fetch: options.fetch } : {}),
    renderError: (ctx, out) => {
      if (isLogout(ctx) && ctx.accepts('json', 'html') === 'html') return errorPage(ctx, out, 'logout')
      if (isAuthorization(ctx) && ctx.accepts('json', 'html') === 'html') return errorPage(ctx, out)
      ctx.type = 'json'
      ctx.body = out
    },
  }

  const provider = new Provider(`${origin}/oidc`, configuration)
  nameSuccessors(provider.RefreshToken)
  compareHashedSecrets(provider.Client)
  nameSessions(provider)
  takeOldHints(provider, rings)
  const structured = createStructuredTokens({ ...options, registry, grants, accounts, verify, audience: origin })
  takeEmptyPasswords(provider, registry)
  registerPhoneGrants(provider, accounts, options, (clientId) => resources.serverOf(origin, clientId))

  provider.use(async (ctx, next) => {
    // People type user codes on our own page, not in the provider's form.
    if (/^\/device(?!\/auth$)/.test(ctx.path)) return ctx.redirect(`${origin}/device`)
    if (!(await admitLogout(ctx as KoaContextWithOIDC, options.limitInteractions))) return
    await answered(ctx as KoaContextWithOIDC, next)
    await structured.answer(ctx as KoaContextWithOIDC)
    await endReplaced(ctx as KoaContextWithOIDC, sessions)
    await answerUsedUp(ctx as KoaContextWithOIDC, isAuthorization, options.onError)
    if (ctx.path === '/token') await knownBrowser?.remember(ctx as KoaContextWithOIDC)
    if (push) giveBackFailed(push, ctx as KoaContextWithOIDC)
    addProblem(ctx as KoaContextWithOIDC)
    if (ctx.status === 503) ctx.set('Retry-After', '2')
    const body = ctx.body as { error?: string } | undefined
    const { ended } = ctx.state as RequestState
    if (ended && ctx.status === 400 && body?.error === 'invalid_grant') ctx.body = { ...body, ...ended }
    if (body && ctx.path.startsWith('/.well-known/')) ctx.body = describeProvider(body)
    if (ctx.path === '/device/auth') deviceFlow.complete(ctx as KoaContextWithOIDC)
    pushedLogins?.complete(ctx as KoaContextWithOIDC)
  })

  reportRefusals(provider, options.onError)
  return { provider, applications, sendLogoutToken: takeLogoutTokens(provider) }
}
