import { isSub } from '@saoma/accounts'
import { ticketOf, type VerificationDemand } from '@saoma/protocol'
import type { ClientRegistry } from './client.ts'
import type { DeviceFlow } from './device-flow.ts'
import {
  type Adapter,
  type AdapterPayload,
  type Configuration,
  errors,
  type KoaContextWithOIDC,
  Provider,
} from './oidc-provider.ts'
import type { Pings } from './pings.ts'
import type { ProviderOptions } from './provider-options.ts'
import { askPhone, type Push } from './push.ts'
import { isMessage, ofKind, PUSHED } from './pushed-request.ts'
import { type RequestState, requestState } from './request-state.ts'
import type { TrustedNetworks } from './trusted-networks.ts'
import { askedIn, demandFor, unmet } from './verification.ts'

/** Seconds between polls of the token endpoint (CIBA Core, section 7.3). */
const POLL_INTERVAL_SECONDS = 5
/** How long a request may wait for the phone, in seconds. */
const SHORTEST_SECONDS = 30
const LONGEST_SECONDS = 600

export interface PushedLoginsDeps {
  registry: ClientRegistry
  networks: TrustedNetworks
  deviceFlow: Pick<DeviceFlow, 'records' | 'make' | 'check'>
  push: Push
  pings: Pick<Pings, 'await' | 'seal'>
  /** What is demanded of a login for a client. */
  demandOf: (clientId: string) => VerificationDemand
}

type Features = NonNullable<Configuration['features']>
type Ttl = NonNullable<NonNullable<Configuration['ttl']>['BackchannelAuthenticationRequest']>

/**
 * Logins that an application asks for on the person's phone (OpenID CIBA Core, poll and ping). Each request
 * is a ticket whose owner is known beforehand. So the phone scans, confirms and declines it like any other,
 * and its `auth_req_id` is what a device code is elsewhere.
 */
export interface PushedLogins {
  /** oidc-provider's storage of such requests. */
  requests: Adapter
  feature: NonNullable<Features['ciba']>
  ttl: Ttl
  /** Completes the answer of the endpoint. */
  complete(ctx: KoaContextWithOIDC): void
}

/** Too many for this person, or none wanted. The application is not told which. */
const refused = (state: RequestState | undefined, waitMs: number): Error => {
  if (state) state.refusal = { code: 'RATE_LIMITED' }
  Provider.ctx?.set('Retry-After', String(Math.max(1, Math.ceil(waitMs / 1_000))))
  const error = new errors.AccessDenied('this person takes no request of this application now')
  return Object.assign(error, { status: 429, statusCode: 429 })
}

export const createPushedLogins = (
  { registry, networks, deviceFlow, push, pings, demandOf }: PushedLoginsDeps,
  { appName, describe, codeSeconds }: Pick<ProviderOptions, 'appName' | 'describe' | 'codeSeconds'>,
): PushedLogins => {
  /**
   * No picture is scanned, so a tap would show nothing. Where the application does not say that a tap is
   * enough, the person types the number that it displays. The network of its server says nothing.
   */
  const verificationOf = ({ clientId = '', params = {} }: AdapterPayload): VerificationDemand => {
    const own = registry.find(clientId)?.verify
    const least = own ?? (demandOf(clientId) === 'tap' ? 'number' : demandOf(clientId))
    const demand = demandFor(least, askedIn(params))
    if (demand === undefined || demand === 'network') throw unmet()
    return demand === 'network-or-number' ? 'number' : demand
  }

  const create: Adapter['upsert'] = async (id, record, expiresIn) => {
    const { accountId: owner = '', clientId = '' } = record
    const state = requestState()
    const ticket = ticketOf(id)
    const demand = verificationOf(record)
    const waitMs = await askPhone(push, { sub: owner, ticket, client: clientId })
    if (waitMs !== undefined) throw refused(state, waitMs)
    const isPing = registry.find(clientId)?.notificationEndpoint !== undefined
    // First: what is on the list and does not come about is taken from it.
    if (isPing) await pings.await(ticket)
    const created = await deviceFlow.make(
      id,
      { ...record, deviceInfo: { ...state?.device } },
      {
        verification: { demand, network: '' },
        owner,
        ...(isPing ? { ping: pings.seal(id) } : {}),
        ...(expiresIn === undefined ? {} : { scanMs: expiresIn * 1_000 }),
      },
    )
    if (!created.ok) throw new errors.TemporarilyUnavailable('this request could not be made; please try again')
    const { number } = created.value
    if (state?.pushed && number !== undefined) state.pushed.number = number
  }

  return {
    requests: { ...ofKind(PUSHED, deviceFlow.records), upsert: create },
    ttl: (_ctx, request) => {
      const asked = Number((request.params as { requested_expiry?: unknown } | undefined)?.requested_expiry)
      return Number.isFinite(asked) ? Math.min(Math.max(asked, SHORTEST_SECONDS), LONGEST_SECONDS) : codeSeconds
    },
    feature: {
      enabled: true,
      deliveryModes: ['poll', 'ping'],
      // Nobody can guess a `sub`, unless the business chose it so (RFC 10027, section 4.1).
      processLoginHint: (_ctx, hint = '') => (isSub(hint) ? hint : undefined),
      processLoginHintToken: () => undefined,
      // The phone asks its person. So no code of theirs is needed for that.
      verifyUserCode: () => {},
      validateBindingMessage: (_ctx, message) => {
        if (message !== undefined && !isMessage(message))
          throw new errors.InvalidBindingMessage('binding_message is one line of 40 characters at most')
      },
      validateRequestContext: (ctx) => {
        networks.check(ctx)
        deviceFlow.check(ctx)
        const state = ctx.state as RequestState
        state.device = describe(ctx)
      },
      triggerAuthenticationDevice: (ctx, _request, _account, client) => {
        const { pushed } = ctx.state as RequestState
        const { clientId, clientName = appName } = client
        if (pushed) push.tell({ sub: pushed.sub, ticket: pushed.ticket, client: clientId, app: clientName })
      },
    },
    complete: (ctx) => {
      const { pushed } = ctx.state as RequestState
      const body = ctx.body as { auth_req_id?: string } | undefined
      if (!body?.auth_req_id || !pushed) return
      const { ticket, number } = pushed
      ctx.body = {
        ...body,
        interval: POLL_INTERVAL_SECONDS,
        ticket,
        ...(number === undefined ? {} : { number }),
      }
    },
  }
}
