import type { VerificationDemand } from '@saoma/protocol'
import { DEMAND } from './login-client.ts'
import { errors, type KoaContextWithOIDC, Provider } from './oidc-provider.ts'
import type { RequestState } from './request-state.ts'
import type { NewTicket } from './ticket-store.ts'
import { askedIn, demandFor, unmet } from './verification.ts'

const NO_NUMBER =
  'this login may be verified by a number, and the request does not say that its page displays one: verification=number'

/** A page that cannot take part would leave the person without the number that the phone asks for. */
const refusePage = (ctx: KoaContextWithOIDC): Error => {
  const state = ctx.state as RequestState
  state.refusal = { code: 'VERIFICATION_REQUIRED', detail: NO_NUMBER }
  return Object.assign(new errors.InvalidRequest(NO_NUMBER), { status: 409, statusCode: 409 })
}

/**
 * What is demanded of the login of a code that the present request asks for. The page says by the parameter
 * `verification`, words with a space between two, in which modes it can take part. Only `number` needs it.
 *
 * @param demandOf  what is demanded of a login for a client
 * @param networkOf  names the network of an address
 * @throws if the page cannot take part, or if what is asked for cannot be given
 */
export const createCodeVerification =
  (demandOf: (clientId: string) => VerificationDemand, networkOf: (address: string) => string) =>
  (isPushed: boolean): NonNullable<NewTicket['verification']> => {
    const { ctx } = Provider
    if (!ctx) throw new Error('a code is asked for within a request')
    const { client, params = {}, body } = ctx.oidc
    // The demand of an interaction's own client is that of its request.
    const own = client?.[DEMAND] as VerificationDemand | undefined
    const demand = own ?? demandFor(demandOf(client?.clientId ?? ''), askedIn(params))
    if (demand === undefined) throw unmet()
    const network = networkOf(ctx.ip)
    const shows = String(body?.verification ?? '').split(' ')
    if (isPushed && demand === 'tap' && shows.includes('number')) return { demand, network, offersNumber: true }
    if (shows.includes('number') || !demand.includes('number')) return { demand, network }
    if (demand === 'network-or-number') return { demand: 'network', network }
    throw refusePage(ctx)
  }
