import type { LoginRequest, Result, TicketState } from '@saoma/protocol'
import { type Adapter, type AdapterPayload, errors } from './oidc-provider.ts'

/** What the OAuth layer needs of the login tickets; the ticket's record is the only one there is. */
export interface TicketStore {
  create(ticket: {
    deviceCode: string
    request: Omit<LoginRequest, 'requestedAt'>
    authorization: string
  }): Promise<Result<TicketState>>
  record(deviceCode: string): Promise<Result<TicketRecord>>
  /** `written` are keys that will be written because of it: while replicas of any are missing, nothing is redeemed. */
  redeem(deviceCode: string, written: readonly string[]): Promise<Result<TicketRecord>>
  /** Counts a poll of the token endpoint; false when it came sooner than the interval allows (RFC 8628 `slow_down`). */
  poll(deviceCode: string): Promise<boolean>
}

export interface TicketRecord {
  state: TicketState
  sub?: string
  /** Milliseconds since the epoch at which the person agreed. */
  decidedAt?: number
  authorization: string
}

/** A redeemed ticket begins a session; `sid` names it in every token and is the provider's grant id. */
export interface NewSession {
  sid: string
  sub: string
  clientId: string
  scope: string
  /** What the phone was shown before it confirmed. */
  request: Omit<LoginRequest, 'requestedAt'>
}

/** What is kept beside the ticket: the provider's record without the code itself, and the session's future name. */
interface Authorization {
  payload: AdapterPayload
  sid: string
}

const epochSeconds = () => Math.floor(Date.now() / 1000)

/**
 * oidc-provider's storage of device codes, over the ticket record. The provider drives RFC 8628; the ticket decides.
 *
 * @param describe  reads what the phone shows out of the stored payload
 * @param writes  the keys that a redemption writes besides the ticket's; none when no replicas are asked for
 * @param begin  called once per ticket, by the one redemption that won. False: the person has ended the session in the same moment
 */
export const createDeviceCodes = (
  tickets: TicketStore,
  resource: string,
  newSid: () => string,
  describe: (payload: AdapterPayload) => Omit<LoginRequest, 'requestedAt'>,
  writes: ((session: Pick<NewSession, 'sid' | 'sub'>) => readonly string[]) | undefined,
  begin: (session: NewSession) => Promise<boolean>,
): Adapter => {
  const read = (record: TicketRecord): Authorization => JSON.parse(record.authorization)
  const scopeOf = (payload: AdapterPayload): string => String(payload.params?.scope ?? 'openid')

  const toBeWritten = async (deviceCode: string): Promise<readonly string[]> => {
    const found = writes && (await tickets.record(deviceCode))
    return writes && found?.ok ? writes({ sid: read(found.value).sid, sub: found.value.sub ?? '' }) : []
  }

  return {
    upsert: async (deviceCode, { jti: _, ...payload }) => {
      const authorization: Authorization = { payload, sid: newSid() }
      const created = await tickets.create({
        deviceCode,
        request: describe(payload),
        authorization: JSON.stringify(authorization),
      })
      if (!created.ok) throw new errors.TemporarilyUnavailable('this user code is in use; please try again')
    },

    find: async (deviceCode) => {
      const found = await tickets.record(deviceCode)
      if (!found.ok) return undefined
      const { state, sub, decidedAt } = found.value
      const { payload, sid } = read(found.value)
      // The ticket's own deadline decides, not the one the provider wrote at creation.
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
            scope: scopeOf(payload),
            resource,
            authTime: Math.floor((decidedAt ?? Date.now()) / 1000),
            acr: 'scan',
          }
        case 'rejected':
          return {
            ...stored,
            exp: epochSeconds() + 60,
            error: 'access_denied',
            errorDescription: 'declined on the phone',
          }
        default:
          return { ...stored, exp: epochSeconds() - 60 }
      }
    },

    consume: async (deviceCode) => {
      const redeemed = await tickets.redeem(deviceCode, await toBeWritten(deviceCode))
      if (redeemed.ok) {
        const { payload, sid } = read(redeemed.value)
        const begun = await begin({
          sid,
          sub: redeemed.value.sub ?? '',
          clientId: payload.clientId ?? '',
          scope: scopeOf(payload),
          request: describe(payload),
        })
        if (!begun) throw new errors.InvalidGrant('this login was ended')
        return
      }
      // The provider asks to consume a declined code before it answers access_denied: there is nothing to use up.
      if (redeemed.code !== 'TICKET_SETTLED') throw new errors.InvalidGrant('device code was already used')
    },

    // A code ends by its ticket's own rules; nothing else may end or find it.
    destroy: async () => {},
    revokeByGrantId: async () => {},
    findByUserCode: async () => undefined,
    findByUid: async () => undefined,
  }
}
