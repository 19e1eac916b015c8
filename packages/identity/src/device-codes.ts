import { codes, type LoginRequest, type Result, type TicketState, ticketOf } from '@saoma/protocol'
import { acrOf, amrOf } from './authentication.ts'
import { type Adapter, type AdapterPayload, errors } from './oidc-provider.ts'
import { type Redemption, type RequestState, requestState } from './request-state.ts'
import type { Beginning } from './sessions.ts'
import type { NewTicket, TicketRecord, TicketStore } from './ticket-store.ts'

/**
 * A redeemed ticket begins a session. `sid` names the session in every token and is the provider's grant id.
 */
export interface NewSession {
  sid: string
  sub: string
  clientId: string
  scope: string
  /** What its access tokens are for. */
  resource: string | string[]
  /** The request that the phone displayed before the person confirmed. */
  request: Omit<LoginRequest, 'requestedAt'>
  /** When the person confirmed, in ISO 8601. */
  since: string
  /** The person's last end of all sessions when the phone scanned; undefined if an older node took it. */
  scannedAfter?: string
  /**
   * The session's first refresh token is derived from this seed, so every repeat gives the same token. Nobody
   * can derive it from one half alone.
   */
  tokenSeed: { deviceCode: string; salt: string }
}

/** What a confirmed authorization gives. */
export interface Authorized {
  /** What the access tokens are for: their `aud`. */
  resource: string | string[]
  scope: string
  /** It gives nothing but an access token. */
  isBare?: boolean
}

/**
 * Stored with the ticket: the provider's record without the code itself, and the id of the future session.
 */
export interface Authorization {
  payload: AdapterPayload
  sid: string
  /** Missing in tickets of older nodes, which could not repeat a redemption. */
  salt?: string
  /** The whole code, sealed, if its application has to be told of the answer. */
  ping?: string
}

const redemptionOf = (): Redemption => {
  const state = requestState()
  if (!state) throw new Error('a device code can only be redeemed within a request')
  state.redemption ??= {}
  return state.redemption
}

/**
 * Consumes the device code that this request redeems, if any. Call it last, after everything that the login
 * creates is written: if an earlier step fails, the code can be redeemed again. Rejects when another request
 * has consumed the code, or when Redis is unavailable.
 */
export const finishRedemption = async ({ redemption }: RequestState): Promise<void> => {
  await redemption?.finish?.()
}

const epochSeconds = () => Math.floor(Date.now() / 1000)

export interface DeviceCodesDeps {
  tickets: TicketStore
  /** What the tokens of an authorization are for, and what they may. */
  authorized: (payload: AdapterPayload) => Authorized
  /** Draws 22 random characters. */
  newName: () => string
  /** Reads the request that the phone displays from the stored payload. */
  requestOf: (payload: AdapterPayload) => Omit<LoginRequest, 'requestedAt'>
  /** What a yes must repeat of that request, if anything. */
  termsOf: (request: Omit<LoginRequest, 'requestedAt'>) => string | undefined
  /** What is demanded of the login of the code that the present request asks for. May throw. */
  verificationOf: (isPushed: boolean) => NonNullable<NewTicket['verification']>
  /**
   * Called by each redemption with the same arguments. Resolves with undefined if the person has ended the
   * session.
   */
  begin: (session: NewSession) => Promise<Beginning | undefined>
  /** Called once per ticket, by the redemption that won. */
  onRedeemed: (session: Pick<NewSession, 'sid' | 'sub'>) => void
  /** Asks somebody's phone, if that may be. The code is one for everybody all the same. */
  ask?: (ticket: string) => Promise<boolean>
}

/** The ticket records as oidc-provider's storage. The provider runs RFC 8628 and CIBA; the ticket decides. */
export interface DeviceCodes {
  /** The storage of device codes. It finds every code that `make` was given. */
  records: Adapter
  /** Begins to read a code that the present request is about to look for. */
  expect(deviceCode: string): void
  /** Makes the ticket of a code. TICKET_TAKEN if its id or its user code is in use. */
  make(
    code: string,
    payload: AdapterPayload,
    more: Pick<NewTicket, 'verification' | 'owner' | 'scanMs'> & Pick<Authorization, 'ping'>,
  ): Promise<Result<TicketState>>
}

export const createDeviceCodes = ({
  tickets,
  authorized,
  newName,
  requestOf,
  termsOf,
  verificationOf,
  begin,
  onRedeemed,
  ask = async () => false,
}: DeviceCodesDeps): DeviceCodes => {
  const read = (record: TicketRecord): Required<Omit<Authorization, 'ping'>> => {
    const { payload, sid, salt = sid } = JSON.parse(record.authorization) as Authorization
    return { payload, sid, salt }
  }

  /** What its tokens may. Without a scope the provider makes no id token. */
  const given = (payload: AdapterPayload): Partial<Authorized> => {
    const { resource, scope, isBare = false } = authorized(payload)
    return isBare ? { resource } : { resource, scope }
  }

  const make: DeviceCodes['make'] = async (deviceCode, { jti: _, ...payload }, { ping, ...more }) => {
    const named = { payload, sid: newName(), salt: newName() }
    const authorization: Authorization = ping === undefined ? named : { ...named, ping }
    const request = requestOf(payload)
    const terms = termsOf(request)
    return tickets.create({
      deviceCode,
      request,
      authorization: JSON.stringify(authorization),
      ...(terms === undefined ? {} : { terms }),
      ...more,
    })
  }

  const records: Adapter = {
    upsert: async (deviceCode, payload) => {
      // Throws before anybody is asked.
      verificationOf(false)
      const isAsked = await ask(ticketOf(deviceCode))
      const created = await make(deviceCode, payload, { verification: verificationOf(isAsked) })
      if (!created.ok) throw new errors.TemporarilyUnavailable('this user code is in use; please try again')
    },

    find: async (deviceCode) => {
      const { reading } = redemptionOf()
      const found = await (reading?.deviceCode === deviceCode ? reading.found : tickets.record(deviceCode))
      if (!found.ok) return undefined
      redemptionOf().found = found.value
      const { state, sub, decidedAt, mode = 'tap' } = found.value
      const { payload, sid } = read(found.value)
      // The ticket's own deadline decides, not the expiry that the provider wrote at creation.
      const stored = { ...payload, jti: deviceCode, exp: epochSeconds() + state.expiresIn }
      switch (state.status) {
        case 'pending':
        case 'scanned':
          if (!(await tickets.poll(deviceCode))) throw new errors.SlowDown()
          return stored
        case 'confirmed':
          return {
            ...stored,
            accountId: sub,
            grantId: sid,
            sid,
            ...given(payload),
            ...{ acr: acrOf(mode), amr: amrOf(mode) },
            authTime: Math.floor((decidedAt ?? Date.now()) / 1000),
          }
        case 'rejected':
          return {
            ...stored,
            exp: epochSeconds() + 60,
            error: 'access_denied',
            errorDescription: state.code === 'TICKET_VOID' ? codes.TICKET_VOID.say.en : 'declined on the phone',
          }
        default:
          return { ...stored, exp: epochSeconds() - 60 }
      }
    },

    // Only checks that the code may be consumed. A login writes to several shards, and each of these writes
    // may fail; `finishRedemption` consumes the code after them.
    consume: async (deviceCode) => {
      const redemption = redemptionOf()
      const { found } = redemption
      // Before the provider answers access_denied, it also consumes the declined code. There is nothing to
      // consume.
      if (found?.state.status === 'rejected') return
      if (found?.state.status !== 'confirmed') throw new errors.InvalidGrant('device code was already used')
      const { payload, sid, salt } = read(found)
      const sub = found.sub ?? ''
      const { scope, resource } = authorized(payload)
      const begun = await begin({
        ...{ sid, sub, clientId: payload.clientId ?? '', scope, resource, request: requestOf(payload) },
        since: new Date(found.decidedAt ?? 0).toISOString(),
        ...(found.scannedAfter === undefined ? {} : { scannedAfter: found.scannedAfter }),
        tokenSeed: { deviceCode, salt },
      })
      if (!begun) throw new errors.InvalidGrant('this login was ended')
      const state = requestState()
      if (state) state.stands = begun.stands
      redemption.finish = async () => {
        if (!(await begun.stands)) throw new errors.InvalidGrant('this login was ended')
        const redeemed = await tickets.redeem(deviceCode)
        if (!redeemed.ok) throw new errors.InvalidGrant('device code was already used')
        onRedeemed({ sid, sub })
      }
    },

    // Only the ticket's own rules end a code.
    destroy: async () => {},
    revokeByGrantId: async () => {},
    findByUserCode: async () => undefined,
    findByUid: async () => undefined,
  }

  const expect = (deviceCode: string): void => {
    const found = tickets.record(deviceCode)
    // If the request is refused before, nobody asks.
    found.catch(() => {})
    redemptionOf().reading = { deviceCode, found }
  }

  return { records, make, expect }
}
