import type { Audit, Note } from '@saoma/audit'
import { type EndedSession, modeOf } from '@saoma/identity'
import { CIBA_GRANT, DEVICE_CODE_GRANT, TOKEN_EXCHANGE_GRANT } from '@saoma/protocol'
import { wideNetworkOf } from '../access/networks.ts'
import { describeUserAgent } from '../transport/client-address.ts'
import type { Context } from '../transport/http/context.ts'
import { type EndCause, presentCause } from './end-cause.ts'

/** The grants that use up a ticket. */
const REDEEMS: readonly unknown[] = [DEVICE_CODE_GRANT, CIBA_GRANT]
/** Long enough for a step that its client repeats. */
export const REPEATED_MS = 600_000
/** An application that a person enters again in the same session is noted again after this time. */
const ENTERED_MS = 24 * 60 * 60 * 1000

/** Where a request comes from, as an entry says it. */
export const whereFrom = (ctx: Context): Pick<Note, 'ip' | 'browser' | 'os'> => ({
  ip: ctx.ip,
  ...describeUserAgent(ctx.get('User-Agent')),
})

/** Person and session of a token request that the provider has answered. */
const sessionOf = (ctx: Context): Pick<Note, 'person' | 'sid'> => {
  const { Account, Grant } = ctx.oidc?.entities ?? {}
  // The grant of an application depends on a session, and names it.
  return { person: Account?.accountId, sid: Grant?.sessionUid ?? Grant?.jti }
}

/** Whether the browser goes on with the login of somebody else, for whom the session of the former ends. */
const isReplaced = (ctx: Context): boolean =>
  String(ctx.oidc?.session?.state?.postLogoutRedirectUri ?? '').startsWith(`${ctx.state.origin}/oidc/auth/`)

/** Whether a request has ended the login of this browser because its person has logged out. */
export const hasLoggedOut = (ctx: Context): boolean => {
  const { destroyed, accountId } = ctx.oidc?.session ?? {}
  return destroyed === true && accountId !== undefined && ctx.status === 303 && !isReplaced(ctx)
}

/**
 * Why a session ends within a request to one of the OAuth routes. Within the provider `ctx` has another path.
 */
export const oauthCause = (ctx: Context, path: string): EndCause => {
  if (path === '/oidc/token/revocation') return { by: 'browser', reason: 'logout', ...whereFrom(ctx) }
  // Somebody who was logged in has scanned again, or somebody else has.
  if (path.startsWith('/oidc/auth')) return { by: 'saoma', reason: 'login-repeated', ...whereFrom(ctx) }
  if (path === '/oidc/session/end/confirm')
    return { by: 'browser', reason: isReplaced(ctx) ? 'other-person' : 'logout', ...whereFrom(ctx) }
  const isRedemption = REDEEMS.includes(ctx.oidc?.params?.grant_type)
  return { by: 'saoma', reason: isRedemption ? 'too-many' : 'refresh-token-reused', ...whereFrom(ctx) }
}

/** Notes a code that a browser has asked for. */
export const noteAsked = ({ note }: Pick<Audit, 'note'>, ctx: Context, ticket: string, client: unknown): void =>
  note({ kind: 'login.asked', ticket, client: String(client ?? ''), ...whereFrom(ctx) })

/** Notes what a token request has done. `ticket` is that of its device code. */
export const noteTokens = (
  { note }: Pick<Audit, 'note'>,
  ctx: Context,
  { grant, client, ticket }: { grant: unknown; client: unknown; ticket?: string },
): void => {
  const { phone } = ctx.state as { phone?: { sub: string; app: string } }
  if (grant === TOKEN_EXCHANGE_GRANT && phone)
    note({ kind: 'phone.admitted', person: phone.sub, app: phone.app, client: String(client), ...whereFrom(ctx) })
  const { person, sid } = sessionOf(ctx)
  if (!person || !sid) return
  const told = { person, sid, client: String(client ?? ''), ...whereFrom(ctx) }
  const network = wideNetworkOf(ctx.ip)
  if (REDEEMS.includes(grant)) {
    const { DeviceCode, BackchannelAuthenticationRequest } = ctx.oidc?.entities ?? {}
    // How the person has shown to be at the browser.
    const mode = modeOf((DeviceCode ?? BackchannelAuthenticationRequest)?.acr) ?? 'tap'
    // A browser redeems within milliseconds what another node has just noted as confirmed.
    note({ kind: 'login.redeemed', mode, ...told, ...(ticket ? { ticket } : {}) }, { network, later: true })
  }
  if (grant === 'authorization_code') {
    // A page may log in anew every few minutes without anybody knowing.
    const once = { name: `entered.${sid}.${told.client}`, ms: ENTERED_MS }
    note({ kind: 'application.entered', ...told }, { later: true, once })
  }
  if (grant === 'refresh_token') note({ kind: 'session.moved', ...told }, { network })
}

/** Notes that a session has ended. It may be called again: the nodes are told of an end in several tries. */
export const noteEnded = ({ note }: Pick<Audit, 'note'>, { sub, sid }: Pick<EndedSession, 'sub' | 'sid'>): void =>
  note(
    { kind: 'session.ended', person: sub, sid, ...presentCause() },
    { once: { name: `ended.${sid}`, ms: REPEATED_MS } },
  )
