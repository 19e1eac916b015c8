import type { LoginRequest } from '@saoma/protocol'
import { type Adapter, type AdapterPayload, errors } from './oidc-provider.ts'
import { type Redemption, type RequestState, requestState } from './request-state.ts'
import type { TicketRecord, TicketStore } from './ticket-store.ts'

/** A redeemed ticket begins a session; `sid` names it in every token and is the provider's grant id. */
export interface NewSession {
  sid: string
  sub: string
  clientId: string
  scope: string
  /** What the phone was shown before it confirmed. */
  request: Omit<LoginRequest, 'requestedAt'>
  /** When the person agreed, in ISO 8601. */
  since: string
  /**
   * What its first refresh token is named after: always the same, and known to nobody who has only one half
   * of it.
   */
  tokenSeed: { deviceCode: string; salt: string }
}

/**
 * What is kept beside the ticket: the provider's record without the code itself, and the session's future
 * name.
 */
interface Authorization {
  payload: AdapterPayload
  sid: string
  /** Not in the tickets of nodes that knew no repeated redemption. */
  salt?: string
}

const redemptionOf = (): Redemption => {
  const state = requestState()
  if (!state) throw new Error('a device code is redeemed outside of a request')
  state.redemption ??= {}
  return state.redemption
}

/**
 * Uses up the device code whose tokens this request has made, if it is one that redeems. Last, when all that
 * the login gives is written: whatever fails before, the code is good for another try. Rejects when somebody
 * else has used it up meanwhile, or when Redis cannot be asked.
 */
export const finishRedemption = async ({ redemption }: RequestState): Promise<void> => {
  await redemption?.finish?.()
}

const epochSeconds = () => Math.floor(Date.now() / 1000)

/**
 * oidc-provider's storage of device codes, over the ticket record. The provider drives RFC 8628; the ticket
 * decides.
 *
 * @param newName  draws 22 random characters
 * @param describe  reads what the phone shows out of the stored payload
 * @param begin  called by each redemption, always with the same. False: the person has ended the session in
 *   the same moment
 * @param onRedeemed  told once per ticket, by the one redemption that won
 */
export const createDeviceCodes = (
  tickets: TicketStore,
  resource: string,
  newName: () => string,
  describe: (payload: AdapterPayload) => Omit<LoginRequest, 'requestedAt'>,
  begin: (session: NewSession) => Promise<boolean>,
  onRedeemed: (session: Pick<NewSession, 'sid' | 'sub'>) => void,
): Adapter => {
  const read = (record: TicketRecord): Required<Authorization> => {
    const { payload, sid, salt = sid } = JSON.parse(record.authorization) as Authorization
    return { payload, sid, salt }
  }
  const scopeOf = (payload: AdapterPayload): string => String(payload.params?.scope ?? 'openid')

  return {
    upsert: async (deviceCode, { jti: _, ...payload }) => {
      const authorization: Authorization = { payload, sid: newName(), salt: newName() }
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
      redemptionOf().found = found.value
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

    // Only looks whether it may be used up. What a login gives lies on several shards, and any of them may
    // refuse or be gone.
    consume: async (deviceCode) => {
      const redemption = redemptionOf()
      const { found } = redemption
      // The provider asks to consume a declined code before it answers access_denied: there is nothing to use
      // up.
      if (found?.state.status === 'rejected') return
      if (found?.state.status !== 'confirmed') throw new errors.InvalidGrant('device code was already used')
      const { payload, sid, salt } = read(found)
      const sub = found.sub ?? ''
      const begun = await begin({
        ...{ sid, sub, clientId: payload.clientId ?? '', scope: scopeOf(payload), request: describe(payload) },
        since: new Date(found.decidedAt ?? 0).toISOString(),
        tokenSeed: { deviceCode, salt },
      })
      if (!begun) throw new errors.InvalidGrant('this login was ended')
      redemption.finish = async () => {
        const redeemed = await tickets.redeem(deviceCode)
        if (!redeemed.ok) throw new errors.InvalidGrant('device code was already used')
        onRedeemed({ sid, sub })
      }
    },

    // A code ends by its ticket's own rules; nothing else may end or find it.
    destroy: async () => {},
    revokeByGrantId: async () => {},
    findByUserCode: async () => undefined,
    findByUid: async () => undefined,
  }
}
