import { type LoginRequest, ticketOf, type VerificationDemand } from '@saoma/protocol'
import type { Client, ClientRegistry } from './client.ts'
import { IDENTITY_SCOPE } from './clients.ts'
import { createCodeVerification } from './code-verification.ts'
import { type Authorized, createDeviceCodes, type DeviceCodes } from './device-codes.ts'
import type { Grants } from './grants.ts'
import type { KnownBrowserLogin } from './known-browser-login.ts'
import { APPLICATION, isLoginClient } from './login-client.ts'
import {
  type Adapter,
  type AdapterPayload,
  type Configuration,
  errors,
  type KoaContextWithOIDC,
  Provider,
} from './oidc-provider.ts'
import type { ProviderOptions } from './provider-options.ts'
import { messageOf, ofKind, PUSHED } from './pushed-request.ts'
import { nameFirst } from './refresh-tokens.ts'
import type { RequestState } from './request-state.ts'
import type { Resources } from './resources.ts'
import type { Sessions } from './sessions.ts'
import type { TicketStore } from './ticket-store.ts'
import type { TrustedNetworks } from './trusted-networks.ts'
import { wordsOf } from './words.ts'

/** Seconds between polls of the token endpoint (RFC 8628 section 3.2). */
const POLL_INTERVAL_SECONDS = 5

export interface DeviceFlowDeps {
  provider: () => Provider
  tickets: TicketStore
  registry: ClientRegistry
  resources: Resources
  networks: TrustedNetworks
  grants: Pick<Grants, 'enter'>
  sessions: Pick<Sessions, 'begin'>
  /** What is demanded of a login for a client. */
  demandOf: (clientId: string) => VerificationDemand
  /** Lets a known browser ask the phone of its person. @default no browser may */
  knownBrowser?: Pick<KnownBrowserLogin, 'ask' | 'tell'> | undefined
  /** Draws 22 random characters. */
  newName: () => string
  /** Begins to read the account of the person whose session begins. */
  readAccount: (sub: string) => void
}

type DeviceFlowOptions = Pick<
  ProviderOptions,
  'origin' | 'appName' | 'describe' | 'networkOf' | 'onSessionBegan' | 'ticketAddress'
>
type Feature = NonNullable<NonNullable<Configuration['features']>['deviceFlow']>

export interface DeviceFlow {
  /** oidc-provider's storage of device codes. */
  codes: Adapter
  /** The same, with requests that applications send to phones. */
  records: Adapter
  /** Begins to read the code that the present request redeems, if it does. */
  expect(): void
  /** Makes the ticket of either. */
  make: DeviceCodes['make']
  /** @throws InvalidScope if a request asks for nothing that its application may have */
  check: (ctx: KoaContextWithOIDC) => void
  feature: Feature
  /** Completes the answer of the device authorization endpoint. */
  complete(ctx: KoaContextWithOIDC): void
}

/**
 * The device authorization (RFC 8628): the login of our own pages, of the page of an interaction, and of
 * devices of registered applications, such as a TV or a command line. Each login begins a session, whose
 * grant is that of its client.
 */
export const createDeviceFlow = (
  {
    provider,
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
  }: DeviceFlowDeps,
  { origin, appName, describe, networkOf = String, onSessionBegan, ticketAddress }: DeviceFlowOptions,
): DeviceFlow => {
  /** The client of the present request. A login client says for which application the person logs in. */
  const presentClient = (): { name?: string; application?: string } => {
    const client = Provider.ctx?.oidc.client
    const application = client?.[APPLICATION]
    return {
      ...(client?.clientName ? { name: client.clientName } : {}),
      ...(typeof application === 'string' ? { application } : {}),
    }
  }

  /** What a registered application asks for. Other words give nothing, so nobody is asked about them. */
  const scopesOf = ({ scopes }: Client, asked: unknown): string[] =>
    wordsOf(asked ?? IDENTITY_SCOPE).filter((scope) => scopes.includes(scope))

  const authorized = ({ clientId = '', params = {} }: AdapterPayload): Authorized => {
    const client = registry.find(clientId)
    const usual = { resource: resources.usualOf(clientId), scope: String(params.scope ?? IDENTITY_SCOPE) }
    if (client) {
      // It was allowed when the code was asked for, and is looked at again when a token is made.
      const resource = (params.resource as Authorized['resource'] | undefined) ?? usual.resource
      return { resource, scope: scopesOf(client, params.scope).join(' ') }
    }
    // The page of an interaction shows its access token, and reads no other.
    return isLoginClient(clientId) ? { ...usual, isBare: true } : usual
  }

  const requestOf = ({ clientId = '', params, deviceInfo, userCode = '', kind }: AdapterPayload) => {
    const client = registry.find(clientId)
    const scopes = client && scopesOf(client, params?.scope)
    return {
      app: presentClient().name ?? appName,
      ip: String(deviceInfo?.ip ?? ''),
      browser: String(deviceInfo?.browser ?? ''),
      os: String(deviceInfo?.os ?? ''),
      userCode: userCode.replace(/^(.{4})(.{4})$/, '$1-$2'),
      ...(client && scopes ? { application: { party: client.party, scopes } } : {}),
      ...(kind === PUSHED ? { pushed: messageOf(params) } : {}),
    } satisfies Omit<LoginRequest, 'requestedAt'>
  }
  const termsOf = ({ application }: Omit<LoginRequest, 'requestedAt'>): string | undefined =>
    application?.party === 'third' ? application.scopes.join(' ') : undefined

  /** Refuses what could only be answered by a silent yes. */
  const check = ({ oidc: { client, params = {} } }: KoaContextWithOIDC): void => {
    const registered = registry.find(client?.clientId ?? '')
    if (!registered) return
    if (scopesOf(registered, params.scope).length === 0)
      throw new errors.InvalidScope('none of these scopes is registered', String(params.scope))
  }

  const { records, make, expect } = createDeviceCodes({
    ...{ tickets, authorized, newName, requestOf, termsOf },
    verificationOf: createCodeVerification(demandOf, networkOf),
    begin: async ({ sid, sub, clientId, scope, resource, since, scannedAfter, tokenSeed, request }) => {
      nameFirst(tokenSeed)
      readAccount(sub)
      const grant = new (provider().Grant)({ accountId: sub, clientId })
      grant.jti = sid
      grant.addOIDCScope(scope)
      for (const each of [resource].flat()) grant.addResourceScope(each, scope)
      const { app, ip, browser, os } = request
      const record = { sid, client: presentClient().application ?? clientId, app, ip, browser, os, since }
      const isTold = registry.find(clientId)?.backchannelLogoutUri !== undefined
      const save = async () => {
        await grant.save()
        if (isTold) await grants.enter(sid, clientId)
      }
      return sessions.begin(sub, record, save, scannedAfter)
    },
    onRedeemed: (session) => onSessionBegan?.(session),
    ask: async (ticket) => (await knownBrowser?.ask(ticket)) ?? false,
  })

  return {
    codes: ofKind('DeviceCode', records),
    records,
    make,
    expect: () => {
      const { route, body } = Provider.ctx?.oidc ?? {}
      const code = body?.device_code
      if (route === 'token' && typeof code === 'string') expect(code)
    },
    check,
    feature: {
      enabled: true,
      charset: 'base-20',
      mask: '****-****',
      // The provider calls this last before it creates a code, with all that was asked for.
      deviceInfo: (ctx) => {
        check(ctx)
        networks.check(ctx)
        return { ...describe(ctx) }
      },
    },
    complete: (ctx) => {
      const body = ctx.body as { device_code?: string } | undefined
      if (!body?.device_code) return
      const ticket = ticketOf(body.device_code)
      // A person at a TV or a command line needs a page that says how to go on. Our own pages are one.
      const { pushed } = ctx.state as RequestState
      if (pushed) knownBrowser?.tell(ctx)
      const isDevice = registry.find(ctx.oidc.client?.clientId ?? '') !== undefined
      const page = `${origin}/${isDevice ? 'device' : 'phone'}`
      const opened = isDevice ? undefined : ticketAddress?.(ticket)
      ctx.body = {
        ...body,
        verification_uri: page,
        verification_uri_complete: opened ?? `${page}?ticket=${ticket}`,
        interval: POLL_INTERVAL_SECONDS,
        ticket,
        qr: `${origin}/v1/tickets/${ticket}/qr`,
        ...(pushed ? { pushed: true } : {}),
      }
    },
  }
}
