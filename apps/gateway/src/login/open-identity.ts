import { type AccountKeys, type Accounts, createAccounts, openAccountKeys } from '@saoma/accounts'
import type { Audit } from '@saoma/audit'
import type { Channels } from '@saoma/channels'
import { type ClientRegistry, createIdentity, type Identity, type IdentityOptions } from '@saoma/identity'
import { userChannel } from '@saoma/protocol'
import type { Membership, RedisClients } from '@saoma/redis'
import { createInbox, type Inbox, type Tickets } from '@saoma/tickets'
import type { Wechat } from '@saoma/wechat'
import { createApplicationFetch } from '../access/application-fetch.ts'
import { createMayCall } from '../access/application-networks.ts'
import { isInNetworks, proximityOf } from '../access/networks.ts'
import type { PhoneIssuers } from '../access/phone-issuers.ts'
import type { Config } from '../config/config.ts'
import { createOrigins } from '../config/origins.ts'
import { type Logger, rarely } from '../operate/log.ts'
import type { Metrics } from '../operate/metrics.ts'
import { describeUserAgent } from '../transport/client-address.ts'
import type { Limits } from '../transport/limits.ts'
import { createAccountHook } from './account-hook.ts'
import { noteEnded } from './audited.ts'
import { noteAccounts } from './audited-accounts.ts'
import { reportLogouts } from './audited-logouts.ts'
import { createIdentifyApp } from './identify-app.ts'
import { createIdentifyPhone } from './identify-phone.ts'
import { createPhoneCodes } from './phone-codes.ts'
import { createPhoneNumbers } from './phone-numbers.ts'
import { type Answered, createPushedLogins } from './pushed-logins.ts'
import { ticketAddress } from './ticket-address.ts'

export interface OpenIdentityDeps {
  redis: RedisClients
  membership: Pick<Membership, 'version'>
  tickets: Tickets
  channels: Pick<Channels, 'publish' | 'end'>
  /** By appid. */
  wechatApps: ReadonlyMap<string, Wechat>
  limits: Limits
  metrics: Metrics
  audit: Audit
  /** The registered applications. */
  clients: ClientRegistry
  /** The issuers of the company's own apps, if there can be any. */
  issuers?: PhoneIssuers
  log: Logger
}

/** At most one log line in this time. */
const QUIET_MS = 10_000
/** From this cluster version on, nodes read the short form of sessions. */
const READS_SHORT_FORM = 2
/** From this one on, they find people by the links of today. */
const FINDS_BY_LINKS = 2

/** A refusal is logged in the line of its request. A failure needs a line with its stack. */
const createOnError =
  (log: Logger): NonNullable<IdentityOptions['onError']> =>
  (ctx, error) => {
    const { refusal } = ctx.state as { refusal?: { code: string } }
    ctx.state.code = refusal?.code ?? error.message
    // The detail is for the log only: the client is not told why its grant is invalid.
    const { error_description: told, error_detail: detail } = error as Error & {
      [word in 'error_description' | 'error_detail']?: unknown
    }
    const reason = [told, detail].filter((text) => typeof text === 'string').join(': ')
    if (reason) ctx.state.reason = reason.slice(0, 200)
    if (ctx.status >= 500) log.error({ err: error, request: ctx.state.requestId }, 'OAuth request failed')
  }

/** The OpenID provider of the logins, and who its people are. */
export interface OpenIdentity extends Identity {
  accounts: Accounts
  /** The requests that applications have sent to people's phones. */
  inbox: Inbox
  /** A person has answered on the phone. Never rejects. */
  settled(sub: string, ticket: string, how: Answered): Promise<void>
}

/** Rejects with RedisUnavailable. */
export const openIdentity = async (deps: OpenIdentityDeps, config: Config): Promise<OpenIdentity> => {
  const { redis, membership, tickets, channels, wechatApps, limits, metrics, audit, log, clients, issuers } = deps

  /**
   * Tells a person's other pages and phone to reload the list of logins. They also reload it on their own, so
   * a lost message does no harm.
   */
  const tellLogins = (sub: string, change: 'began' | 'ended'): void => {
    channels
      .publish({ channel: userChannel(sub), event: 'session', data: { change }, volatile: true })
      .catch((error: unknown) =>
        log.warn({ err: error, change }, 'a person’s devices could not be notified of a session'),
      )
  }

  let accountKeys: AccountKeys | undefined
  let accounts: Accounts | undefined
  const openAccounts = async () => {
    accountKeys = await openAccountKeys(redis, {
      secrets: config.secrets,
      onError: rarely(QUIET_MS, (error: unknown, times) =>
        log.error({ err: error, times }, 'the account keys could not be reloaded'),
      ),
    })
    const isAlone = () => membership.version() >= FINDS_BY_LINKS
    accounts = noteAccounts(createAccounts(redis, accountKeys, { isAlone }), audit)
    return accounts
  }
  const { hook, ownClaims } = config.accounts
  const inbox = createInbox(redis)
  const pushedLogins = createPushedLogins({ ...deps, inbox, accounts: () => accounts }, config.wechat?.loginTemplate)
  const phoneCodes = createPhoneCodes(redis, config.limits, metrics)
  const withHook = hook ? { hook: createAccountHook({ ...hook, ownClaims }, log) } : {}

  const identity = await createIdentity(
    { redis, tickets, openAccounts, clients },
    {
      origin: config.origin,
      appName: config.appName,
      codeSeconds: tickets.times.scanMs / 1000,
      secrets: config.secrets,
      ownClaims,
      verify: config.verify,
      networkOf: proximityOf,
      limitInteractions: async (address) => (await limits.authorizations(address))?.retryAfterSeconds,
      mayWriteShort: () => membership.version() >= READS_SHORT_FORM,
      networks: { webNetworks: config.webNetworks, isIn: isInNetworks },
      admits: createOrigins(config).admits,
      describe: (ctx) => ({ ip: ctx.ip, ...describeUserAgent(ctx.get('User-Agent')) }),
      recognise: createIdentifyPhone({
        log,
        limits,
        phoneCodes,
        phoneNumbers: createPhoneNumbers({ redis, phoneCodes, log }, config.secrets),
        demo: config.demo,
        wechatApps,
        ...withHook,
      }),
      ...(issuers ? { recogniseApp: createIdentifyApp({ redis, issuers, audit, ...withHook }) } : {}),
      ticketAddress: ticketAddress(config),
      push: pushedLogins.push,
      pings: pushedLogins.pings,
      onSessionBegan: ({ sub }) => tellLogins(sub, 'began'),
      onRefreshRepeated: () => metrics.refreshRepeated.inc(),
      onRefreshLimited: () => metrics.limited.inc({ what: 'refreshes' }),
      sessionLimits: config.sessionLimits,
      onSessionEnded: async ({ sub, sid, ...why }) => {
        noteEnded(audit, { sub, sid })
        await channels.end(sub, sid, why)
        if (why.code === 'REPLACED') metrics.sessionsEnded.inc({ by: 'limit' })
        tellLogins(sub, 'ended')
      },
      onSessionEndError: (error) =>
        log.error({ err: error }, 'the end of a session could not be published to the nodes'),
      fetch: createApplicationFetch({ mayCall: createMayCall(config.applicationNetworks) }),
      logouts: reportLogouts({ accounts: () => accounts, audit, metrics, log }),
      onKeysError: rarely(QUIET_MS, (error: unknown, times) =>
        log.error({ err: error, times }, 'the signing keys could not be reloaded'),
      ),
      onError: createOnError(log),
    },
  )

  if (!accounts) throw new Error('the accounts were not opened')
  return {
    ...identity,
    accounts,
    inbox,
    settled: (sub, ticket, how) => pushedLogins.settled(identity, sub, ticket, how),
    close: () => {
      identity.close()
      accountKeys?.close()
    },
  }
}
