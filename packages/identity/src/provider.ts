import { randomBytes } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { Accounts } from '@saoma/accounts'
import { DEVICE_CODE_GRANT, deviceCodeBits, type LoginRequest, ticketOf, WX_CODE_GRANT } from '@saoma/protocol'
import type { RedisClients } from '@saoma/redis'
import { ACCESS_TOKEN_SECONDS, claimsByScope, clientsOf, PHONE_CLIENT, phoneAudience, SCOPES } from './clients.ts'
import { createDeviceCodes, finishRedemption } from './device-codes.ts'
import type { Grants } from './grants.ts'
import {
  type Adapter,
  type Configuration,
  errors,
  type KoaContextWithOIDC,
  Provider,
  type ResourceServer,
} from './oidc-provider.ts'
import { outage, withOutage } from './outage.ts'
import type { RecordForm } from './record-form.ts'
import { createRecords } from './records.ts'
import { createRefreshTokens, nameFirst, nameSuccessors } from './refresh-tokens.ts'
import { addProblem } from './refusal.ts'
import { rememberedInRequest } from './remembered-grant.ts'
import { type RequestState, requestState } from './request-state.ts'
import { type BegunSession, SESSION_SECONDS, type Sessions } from './sessions.ts'
import { SigningKey } from './signing-key.ts'
import { type KeyRings, signingAlgorithms } from './signing-keys.ts'
import type { TicketStore } from './ticket-store.ts'
import { type Recognise, wxCodeGrant } from './wx-code.ts'

export interface ProviderOptions {
  /**
   * Public origin of the cluster; the issuer is `${origin}/oidc` and the audience of access tokens is the
   * origin itself.
   */
  origin: string
  /** The application's name, which the phone displays. */
  appName: string
  /** Seconds a code may wait for its scan (RFC 8628 `expires_in`). */
  codeSeconds: number
  /** Signs the provider's own cookies. */
  cookieSecret: string
  /** Whether a request that has an `Origin` may call the token endpoint. */
  admits: (headers: IncomingHttpHeaders) => boolean
  /** What the server knows of the browser that sends the request. */
  describe: (ctx: KoaContextWithOIDC) => Pick<LoginRequest, 'ip' | 'browser' | 'os'>
  /** Names of the business's own claims, which are given with the scope `business`. @default none */
  ownClaims?: readonly string[]
  /** Turns the phone's `wx.login` code into a person. */
  recognise: Recognise
  /** Called after a session has begun; must not throw. */
  onSessionBegan?: (session: BegunSession) => void
  /** Called when a used refresh token is used again early enough to get the same answer. */
  onRefreshRepeated?: () => void
  /** Called when a refresh is refused because its session has refreshed too often recently. */
  onRefreshLimited?: () => void
  /** Called for every refusal and failure of the OAuth routes, for the log. */
  onError: (ctx: KoaContextWithOIDC, error: Error) => void
}

export interface ProviderDeps {
  redis: RedisClients
  tickets: TicketStore
  accounts: Pick<Accounts, 'of' | 'find'>
  grants: Grants
  sessions: Sessions
  /** How a refresh token's record is written. */
  refreshTokenForm: RecordForm
}

const MINUTE = 60
const DAY = 24 * 60 * MINUTE
/** Seconds between polls of the token endpoint (RFC 8628 section 3.2). */
export const POLL_INTERVAL_SECONDS = 5

const GRANTS = [DEVICE_CODE_GRANT, 'refresh_token', WX_CODE_GRANT]

const refusals = [
  'grant.error',
  'device_authorization.error',
  'revocation.error',
  'discovery.error',
  'jwks.error',
  'server_error',
] as const

/**
 * One oidc-provider for one set of keys. It holds no state of its own, so a change of keys creates a new
 * provider.
 */
export const createProvider = (
  { redis, tickets, accounts, grants, sessions, refreshTokenForm }: ProviderDeps,
  rings: KeyRings,
  options: ProviderOptions,
): Provider => {
  const { origin, appName } = options
  const resourceServer: ResourceServer = {
    scope: SCOPES.join(' '),
    audience: origin,
    accessTokenTTL: ACCESS_TOKEN_SECONDS,
    accessTokenFormat: 'jwt',
    jwt: { sign: { alg: 'ES256' } },
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
    origin,
    () => randomBytes(16).toString('base64url'),
    ({ deviceInfo, userCode = '' }) => ({
      app: appName,
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
      grant.addResourceScope(origin, scope)
      const record = { sid, client: clientId, app, ip, browser, os, since }
      const save = async () => void (await grant.save())
      return sessions.begin(sub, record, save, scannedAfter)
    },
    (session) => options.onSessionBegan?.(session),
  )

  const ignore = () => {}
  const { onRefreshRepeated = ignore, onRefreshLimited = ignore } = options
  const refreshTokens = createRefreshTokens(redis, grants, refreshTokenForm, onRefreshRepeated, onRefreshLimited)
  const adapterOf = (model: string): Adapter => {
    if (model === 'DeviceCode') return deviceCodes
    if (model === 'Grant') return rememberedInRequest(grants.adapter, refreshTokens)
    if (model === 'RefreshToken') return refreshTokens
    return createRecords(redis, model)
  }

  const configuration: Configuration = {
    adapter: (model) => withOutage(adapterOf(model)),
    jwks: { keys: signingAlgorithms.flatMap((alg) => rings[alg].map((jwk) => new SigningKey(jwk))) },
    cookies: { keys: [options.cookieSecret] },
    clients: clientsOf(appName),
    extraClientMetadata: { properties: [] },
    enabledJWA: { idTokenSigningAlgValues: [...signingAlgorithms] },
    clientAuthMethods: ['none'],
    scopes: [...SCOPES],
    claims: claimsByScope(options.ownClaims),
    conformIdTokenClaims: false,
    acrValues: ['scan'],
    features: {
      devInteractions: { enabled: false },
      userinfo: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      revocation: { enabled: true, allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId },
      pushedAuthorizationRequests: { enabled: false },
      dPoP: { enabled: false },
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
        defaultResource: () => origin,
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, resource) => {
          if (resource !== origin) throw new errors.InvalidTarget()
          return resourceServer
        },
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
      Interaction: 10 * MINUTE,
      Session: 14 * DAY,
    },
    rotateRefreshToken: true,
    expiresWithSession: () => false,
    issueRefreshToken: (_ctx, client, source) =>
      client.grantTypeAllowed('refresh_token') && source.scopes.has('offline_access'),
    extraTokenClaims: (_ctx, token) => ('grantId' in token && token.grantId ? { sid: token.grantId } : undefined),
    findAccount: async (_ctx, sub) => {
      const reading = requestState()?.account
      const account = await (reading?.sub === sub ? reading.found : accounts.find(sub)).catch((error) => {
        throw outage(error)
      })
      // No token for an account that is disabled or deleted, also at a refresh.
      return account?.state === 'active' ? { accountId: sub, claims: () => ({ ...account.claims, sub }) } : undefined
    },
    // For every client: the SDK logs in a mini-program in the same way as a page.
    clientBasedCORS: (ctx) => options.admits(ctx.headers),
    interactions: { url: () => '/' },
    renderError: (ctx, out) => {
      ctx.type = 'json'
      ctx.body = out
    },
  }

  const provider = new Provider(`${origin}/oidc`, configuration)
  nameSuccessors(provider.RefreshToken)
  provider.registerGrantType(
    WX_CODE_GRANT,
    wxCodeGrant(
      accounts,
      options.recognise,
      origin,
      (clientId) =>
        clientId === PHONE_CLIENT ? { ...resourceServer, audience: phoneAudience(origin) } : resourceServer,
      outage,
    ),
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
    await next()
    if (ctx.status === 200) await answerRedemption(ctx as KoaContextWithOIDC)
    addProblem(ctx as KoaContextWithOIDC)
    if (ctx.status === 503) ctx.set('Retry-After', '2')
    const body = ctx.body as { device_code?: string; authorization_endpoint?: string; error?: string } | undefined
    const { ended } = ctx.state as RequestState
    if (ended && ctx.status === 400 && body?.error === 'invalid_grant') ctx.body = { ...body, ...ended }
    if (body && ctx.path.startsWith('/.well-known/')) {
      // People log in by scanning. There is no authorization page, so leave out its endpoint and its
      // metadata.
      const { authorization_endpoint: _, ...metadata } = body
      ctx.body = {
        ...metadata,
        // Our own route: see userinfo.ts.
        userinfo_endpoint: `${origin}/oidc/me`,
        grant_types_supported: GRANTS,
        response_types_supported: [],
        response_modes_supported: [],
      }
    }
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

  for (const event of refusals) provider.on(event as 'grant.error', options.onError)
  return provider
}
