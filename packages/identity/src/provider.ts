import { randomBytes } from 'node:crypto'
import { deviceCodeBits, ticketOf, WX_CODE_GRANT } from '@saoma/protocol'
import { answered } from './answered.ts'
import { type Applications, createApplications } from './applications.ts'
import { acrOf, acrValues, amrOf } from './authentication.ts'
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
import { createDeviceCodes, finishRedemption } from './device-codes.ts'
import { describeProvider } from './discovery.ts'
import { admitLogout, isLogout, logoutFeatures, sessionCookie, takeOldHints } from './end-session.ts'
import { errorPage } from './error-page.ts'
import { createPolicy } from './interaction-policy.ts'
import { APPLICATION, isLoginClient } from './login-client.ts'
import { type SendLogoutToken, takeLogoutTokens } from './logout-tokens.ts'
import { type Configuration, errors, type KoaContextWithOIDC, Provider } from './oidc-provider.ts'
import { outage, withOutage } from './outage.ts'
import type { ProviderDeps, ProviderOptions } from './provider-options.ts'
import { createRefreshTokens, nameFirst, nameSuccessors } from './refresh-tokens.ts'
import { addProblem } from './refusal.ts'
import { reportRefusals } from './refusals.ts'
import { type RequestState, requestState } from './request-state.ts'
import { createResources } from './resources.ts'
import { nameSessions, sessionClaims } from './session-claims.ts'
import { SESSION_SECONDS } from './sessions.ts'
import { SigningKey } from './signing-key.ts'
import { type KeyRings, signingAlgorithms } from './signing-keys.ts'
import { createStorage } from './storage.ts'
import { createStructuredTokens, introspectionFeature } from './structured-tokens.ts'
import { tooMany } from './too-many.ts'
import { wxCodeGrant } from './wx-code.ts'

const MINUTE = 60
const DAY = 24 * 60 * MINUTE
/** Seconds between polls of the token endpoint (RFC 8628 section 3.2). */
export const POLL_INTERVAL_SECONDS = 5

/** The cookie of the browser that began an interaction. It is sent to the interaction's own address only. */
export const INTERACTION_COOKIE = 'saoma_interaction'
/** The provider's routes that people see. */
const AUTHORIZATION = new Set(['authorization', 'resume'])

/** How long somebody may take from the application's page back to it. */
const INTERACTION_SECONDS = 15 * MINUTE

/**
 * One oidc-provider for one set of keys. It holds no state of its own, so a change of keys creates a new
 * provider.
 */
export const createProvider = (
  { redis, tickets, accounts, grants, sessions, registry, verify, refreshTokenForm }: ProviderDeps,
  rings: KeyRings,
  options: ProviderOptions,
): { provider: Provider; applications: Applications; sendLogoutToken: SendLogoutToken } => {
  const { origin, appName } = options
  const newName = (): string => randomBytes(16).toString('base64url')
  const isOwn = (clientId: string): boolean => ownClients.includes(clientId)
  const resources = createResources(origin, isOwn, (clientId) => registry.find(clientId)?.party === 'first')
  /** The client of the present request. A login client says for which application the person logs in. */
  const presentClient = (): { name?: string; application?: string } => {
    const client = Provider.ctx?.oidc.client
    const application = client?.[APPLICATION]
    return {
      ...(client?.clientName ? { name: client.clientName } : {}),
      ...(typeof application === 'string' ? { application } : {}),
    }
  }

  /** The tokens need the account. It is read while their session is written, and not after that. */
  const readAccount = (sub: string): void => {
    const state = requestState()
    if (!state) return
    state.account = { sub, found: accounts.find(sub) }
    // If the session cannot be written, nobody asks for it.
    state.account.found.catch(() => {})
  }

  const deviceCodes = createDeviceCodes(
    tickets,
    (clientId) => ({
      resource: resources.usualOf(clientId),
      ...(isLoginClient(clientId) ? { acr: acrOf('tap'), amr: amrOf('tap') } : { acr: 'scan' }),
    }),
    newName,
    ({ deviceInfo, userCode = '' }) => ({
      app: presentClient().name ?? appName,
      ip: String(deviceInfo?.ip ?? ''),
      browser: String(deviceInfo?.browser ?? ''),
      os: String(deviceInfo?.os ?? ''),
      userCode: userCode.replace(/^(.{4})(.{4})$/, '$1-$2'),
    }),
    async ({ sid, sub, clientId, scope, since, scannedAfter, tokenSeed, request: { app, ip, browser, os } }) => {
      nameFirst(tokenSeed)
      readAccount(sub)
      const grant = new provider.Grant({ accountId: sub, clientId })
      grant.jti = sid
      grant.addOIDCScope(scope)
      grant.addResourceScope(resources.usualOf(clientId), scope)
      const record = { sid, client: presentClient().application ?? clientId, app, ip, browser, os, since }
      const save = async () => void (await grant.save())
      return sessions.begin(sub, record, save, scannedAfter)
    },
    (session) => options.onSessionBegan?.(session),
  )

  const ignore = () => {}
  const { onRefreshRepeated = ignore, onRefreshLimited = ignore } = options
  const refreshTokens = createRefreshTokens(redis, grants, refreshTokenForm, onRefreshRepeated, onRefreshLimited)
  const adapterOf = createStorage(redis, {
    grants,
    registry,
    deviceCodes,
    refreshTokens,
    waitingClient: async (uid) => (await provider.Interaction.find(uid))?.params.client_id,
  })
  const applications = createApplications(
    { provider: () => provider, registry, grants, sessions, newName },
    options.ownClaims,
  )

  /** What waits for a person costs memory, and anybody can ask for it. */
  const admit = async (ctx: KoaContextWithOIDC): Promise<void> => {
    const seconds = await options.limitInteractions?.(ctx.ip).catch((error: unknown) => {
      throw outage(error)
    })
    if (seconds !== undefined) throw Object.assign(tooMany(ctx, seconds), { allow_redirect: false })
  }
  const isAuthorization = (ctx: KoaContextWithOIDC): boolean => AUTHORIZATION.has(ctx.oidc.route)

  const configuration: Configuration = {
    adapter: (model) => withOutage(adapterOf(model)),
    jwks: { keys: signingAlgorithms.flatMap((alg) => rings[alg].map((jwk) => new SigningKey(jwk))) },
    cookies: {
      keys: [...options.cookieSecrets],
      names: { session: sessionCookie(origin), interaction: INTERACTION_COOKIE, resume: 'saoma_resume' },
    },
    clients: clientsOf(appName),
    extraClientMetadata: { properties: [APPLICATION] },
    enabledJWA: { idTokenSigningAlgValues: [...signingAlgorithms] },
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post'],
    responseTypes: ['code'],
    allowOmittingSingleRegisteredRedirectUri: false,
    scopes: [...SCOPES],
    claims: claimsByScope(options.ownClaims),
    conformIdTokenClaims: false,
    acrValues: [...acrValues],
    loadExistingGrant: async (ctx) => {
      try {
        return await applications.loadGrant(ctx)
      } catch (error) {
        throw outage(error)
      }
    },
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
      deviceFlow: {
        enabled: true,
        charset: 'base-20',
        mask: '****-****',
        deviceInfo: (ctx) => ({ ...options.describe(ctx) }),
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: (_ctx, client, oneOf) => oneOf?.[0] ?? resources.usualOf(client.clientId),
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, resource, client) => resources.serverOf(resource, client.clientId),
      },
    },
    // A device code is the ticket's public id and the browser's secret in one string (see the protocol
    // package).
    formats: { bitsOfOpaqueRandomness: (_ctx, token) => (token.kind === 'DeviceCode' ? deviceCodeBits : 258) },
    ttl: {
      AccessToken: ACCESS_TOKEN_SECONDS,
      IdToken: ACCESS_TOKEN_SECONDS,
      DeviceCode: options.codeSeconds,
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
      (source.scopes.has('offline_access') || source.kind === 'AuthorizationCode'),
    extraTokenClaims: sessionClaims,
    findAccount: async (ctx, sub) => {
      const reading = requestState()?.account
      const account = await (reading?.sub === sub ? reading.found : accounts.find(sub)).catch((error) => {
        throw outage(error)
      })
      // No token for an account that is disabled or deleted, also at a refresh.
      if (account?.state === 'active') return { accountId: sub, claims: () => ({ ...account.claims, sub }) }
      if (isAuthorization(ctx)) throw new errors.AccessDenied('this account is disabled or deleted')
      return undefined
    },
    // Whoever is admitted may call for every client of ours: the SDK logs in a mini-program in the same way
    // as a page. An application's page may call for its own client only.
    clientBasedCORS: (ctx, from, { clientId }) => {
      const client = registry.find(clientId)
      return client ? pageOrigins(client).includes(from) : options.admits(ctx.headers)
    },
    interactions: { policy: createPolicy(admit), url: (_ctx, { uid }) => `${origin}/oidc/interaction/${uid}` },
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
  provider.registerGrantType(
    WX_CODE_GRANT,
    wxCodeGrant(accounts, options.recognise, origin, (clientId) => resources.serverOf(origin, clientId), outage),
    ['code', 'app', 'phone_code', 'scope'],
  )

  /** Sends tokens only after their code is consumed. */
  const answerRedemption = async (ctx: KoaContextWithOIDC): Promise<void> => {
    try {
      await finishRedemption(ctx.state)
    } catch (error) {
      const failure = outage(error)
      if (!(failure instanceof errors.OIDCProviderError)) throw failure
      ctx.status = failure.statusCode
      ctx.body = { error: failure.error, error_description: failure.error_description }
      options.onError(ctx, failure)
    }
  }

  provider.use(async (ctx, next) => {
    // People type user codes on our own page, not in the provider's form.
    if (/^\/device(?!\/auth$)/.test(ctx.path)) return ctx.redirect(`${origin}/phone`)
    if (!(await admitLogout(ctx as KoaContextWithOIDC, options.limitInteractions))) return
    await answered(ctx as KoaContextWithOIDC, next)
    await structured.answer(ctx as KoaContextWithOIDC)
    await endReplaced(ctx as KoaContextWithOIDC, sessions)
    if (ctx.status === 200) await answerRedemption(ctx as KoaContextWithOIDC)
    addProblem(ctx as KoaContextWithOIDC)
    if (ctx.status === 503) ctx.set('Retry-After', '2')
    const body = ctx.body as { device_code?: string; error?: string } | undefined
    const { ended } = ctx.state as RequestState
    if (ended && ctx.status === 400 && body?.error === 'invalid_grant') ctx.body = { ...body, ...ended }
    if (body && ctx.path.startsWith('/.well-known/')) ctx.body = describeProvider(body)
    if (ctx.path !== '/device/auth' || !body?.device_code) return
    const ticket = ticketOf(body.device_code)
    ctx.body = {
      ...body,
      verification_uri: `${origin}/phone`,
      verification_uri_complete: `${origin}/phone?ticket=${ticket}`,
      interval: POLL_INTERVAL_SECONDS,
      ticket,
      qr: `${origin}/v1/tickets/${ticket}/qr`,
    }
  })

  reportRefusals(provider, options.onError)
  return { provider, applications, sendLogoutToken: takeLogoutTokens(provider) }
}
