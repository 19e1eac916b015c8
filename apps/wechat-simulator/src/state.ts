import { type Clock, createClock } from './clock.ts'
import { type Codes, createCodes } from './codes.ts'
import { createFaults, type Faults } from './faults.ts'
import { type Limits, wechatLimits } from './limits.ts'
import { createLinks, type Links } from './links.ts'
import { createLogins, type Logins } from './logins.ts'
import { createMessages, type Messages } from './messages.ts'
import { createQuota, DAY_MS, MINUTE_MS, type Quota, SECOND_MS } from './quota.ts'
import { createTokens, type Tokens } from './tokens.ts'

export interface SimulatorOptions {
  appid: string
  secret: string
  /** Pages of the published release, the home page first. @default ['pages/login/index'] */
  pages?: readonly string[]
  /**
   * Name of the Open Platform account of the app. With it people have a unionid, which is the same in all
   * apps of that account.
   */
  openPlatform?: string
  /** Further mini-programs, each with tokens and limits of its own. They share their unionids. */
  others?: readonly { appid: string; secret: string }[]
  /** @default the documented limits */
  limits?: Partial<Limits>
  /** Milliseconds since 1970. @default Date.now */
  now?: () => number
}

/** The complete state of the simulator. */
export interface State {
  appid: string
  secret: string
  clock: Clock
  tokens: Tokens
  logins: Logins
  codes: Codes
  links: Links
  messages: Messages
  faults: Faults
  /** Number of calls by path, including those with a fault. */
  calls: Map<string, number>
  /** Each function uses one call of the account's quota. False if the quota is used up. */
  quotas: Record<'codes' | 'linksOfSecond' | 'linksOfDay' | 'tokensOfMinute' | 'tokensOfDay', Quota>
}

export const createState = (options: SimulatorOptions): State => {
  const { appid, secret, pages = ['pages/login/index'], openPlatform, now } = options
  const limits = { ...wechatLimits, ...options.limits }
  const clock = createClock(now)
  return {
    appid,
    secret,
    clock,
    tokens: createTokens(clock, limits),
    logins: createLogins(clock, limits, appid, openPlatform),
    codes: createCodes(pages, limits.unpublishedPages),
    links: createLinks(clock),
    messages: createMessages(),
    faults: createFaults(clock),
    calls: new Map(),
    quotas: {
      codes: createQuota(clock, limits.codesPerMinute, MINUTE_MS),
      linksOfSecond: createQuota(clock, limits.linksPerSecond, SECOND_MS),
      linksOfDay: createQuota(clock, limits.linksPerDay, DAY_MS),
      tokensOfMinute: createQuota(clock, limits.tokensPerMinute, MINUTE_MS),
      tokensOfDay: createQuota(clock, limits.tokensPerDay, DAY_MS),
    },
  }
}
