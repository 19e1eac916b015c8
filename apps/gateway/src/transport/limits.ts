import { type Connection, createBudget, type Keys, RedisUnavailable } from '@saoma/redis'
import { type RateLimiterAbstract, RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import { networkOf, wideNetworkOf } from '../access/networks.ts'
import type { Config } from '../config/config.ts'
import type { Metrics } from '../operate/metrics.ts'

/**
 * `undefined` if the call is allowed. Otherwise the seconds to wait, and how many times the limit was used.
 */
export type Verdict =
  | {
      retryAfterSeconds: number
      excess: number
      /** The limit of the whole cluster is reached, not that of the caller. */
      everybody?: true
    }
  | undefined
/** A sender that exceeds its limit by this factor ignores refusals. */
export const DEAF_FACTOR = 5
export const isDeaf = (verdict: NonNullable<Verdict>): boolean => verdict.excess > DEAF_FACTOR

/** Limit of a waiting browser: this many events in so many seconds. */
export const EVENTS = { points: 20, seconds: 10 }

/** The subject of a budget that all callers share. */
const ALL = 'all'
/** The divisor of a network's limit. A network that has used at most this part has used little. */
const MODEST = 12

/**
 * Three visits of one ticket, each of which may request both formats of
 * the picture. WeChat may have to draw each one.
 */
const PICTURES = 6
const CHECKS = 5

/** User codes typed on a page in a minute: by one network, and in the whole cluster. */
const TYPED = { points: 30, inAll: 1_000, seconds: 60 }

/** `points` is the cost of the call. @default 1 */
type Limit = (subject: string, points?: number) => Promise<Verdict>

export interface Limits {
  /** New codes, per network and in the whole cluster: each one costs memory. */
  codes: Limit
  /**
   * Authorization requests, per network and in the whole cluster: one that waits for a person costs memory.
   */
  authorizations: Limit
  /** New people of the demo, per network and in the whole cluster: accounts are permanent. */
  demoPeople: Limit
  /** Typed user codes, per account, cluster-wide: RFC 8628 section 5.1. */
  userCodes: Limit
  /** The same of pages, which know nobody: per network and in the whole cluster. */
  typedCodes: Limit
  /** All other HTTP requests, per network and node. */
  requests: Limit
  /** Scans, confirmations and refusals, per account and node. */
  decisions: Limit
  /** Scans, confirmations and refusals of one ticket, per node. */
  ticket: Limit
  /** Pictures of one ticket, cluster-wide. `isFirst` marks the first request. */
  pictures: (ticket: string) => Promise<{ slow: Verdict; isFirst: boolean }>
  /** Links of one ticket, cluster-wide. */
  links: Limit
  /**
   * Attempts at check numbers of pooled codes, per account, cluster-wide: there are only ninety numbers. A
   * correct attempt is refunded.
   */
  verificationDigits: Limit & { giveBack(sub: string): Promise<void> }
  /** New sockets, per network and node. */
  handshakes: Limit
  /** All HTTP requests with an API key, per key and node. */
  keys: Limit
  /**
   * Events of one waiting browser's connection. Leaving a namespace and joining it again does not reset it.
   */
  events: Limit
  /** Events of one person's connection to the channels. */
  liveEvents: Limit
  /** Events of one backend's connection to the channels. */
  keyEvents: Limit
  /** Subscriptions of one connection: each one costs work in Redis. */
  subscribes: Limit
}

const byNetwork =
  (limit: Limit): Limit =>
  (address, points) =>
    limit(networkOf(address), points)

/** Limits per account whose counters lie in Redis, under the `sub` itself. */
const BY_ACCOUNT = { userCodes: 'user_codes', checks: 'checks' } as const

/** Keys that count what an account has used, as the rate limiter names them. */
export const limitKeysOf = (keys: Keys, sub: string): string[] =>
  Object.values(BY_ACCOUNT).map((what) => `${keys.rateLimit(what)}:${sub}`)

/** The limits are sized for a school or an office behind one address. */
export const createLimits = (
  redis: { data: Connection; keys: Keys },
  config: Config['limits'],
  metrics: Metrics,
): Limits => {
  const consume = async (limiter: RateLimiterAbstract, subject: string, cost?: number) => {
    try {
      return { allowed: true, spent: await limiter.consume(subject, cost) }
    } catch (refusal) {
      if (refusal instanceof RateLimiterRes) return { allowed: false, spent: refusal }
      throw new RedisUnavailable('the rate limit cannot be read', { cause: refusal })
    }
  }
  const verdict = (what: string, points: number, { allowed, spent }: Awaited<ReturnType<typeof consume>>): Verdict => {
    if (allowed) return undefined
    metrics.limited.inc({ what })
    return {
      retryAfterSeconds: Math.max(1, Math.ceil(spent.msBeforeNext / 1000)),
      excess: spent.consumedPoints / points,
    }
  }
  const judge =
    (what: string, limiter: RateLimiterAbstract, points: number): Limit =>
    async (subject, cost) =>
      verdict(what, points, await consume(limiter, subject, cost))
  const counter = (what: string, points: number, duration: number) =>
    new RateLimiterRedis({ storeClient: redis.data, keyPrefix: redis.keys.rateLimit(what), points, duration })
  const onNode = (what: string, points: number, duration = 60) =>
    judge(what, new RateLimiterMemory({ points, duration }), points)
  const inCluster = (what: string, points: number, duration = 60) =>
    judge(what, counter(what, points, duration), points)

  const everybody = (what: string, waitMs: number): NonNullable<Verdict> => {
    metrics.limited.inc({ what })
    return { retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)), excess: 1, everybody: true }
  }

  /**
   * A limit per network, and one for the whole cluster. Half of the latter is a reserve for networks that
   * have used little. So an attacker that uses up the first half, with however many networks of one owner,
   * does not lock them out.
   */
  const ofAll = (
    { what, whatOfAll, name }: { what: string; whatOfAll: string; name: string },
    { points, inAll, seconds }: { points: number; inAll: number; seconds: number },
  ): Limit => {
    const ofNetwork = counter(what, points, seconds)
    const ofMany = counter(`${what}_wide`, points, seconds)
    const half = (part: string) =>
      createBudget(redis, { name: part, limit: Math.ceil(inAll / 2), windowMs: seconds * 1_000 })
    const all = half(name)
    const reserve = half(`${name}-reserve`)
    const modest = Math.ceil(points / MODEST)
    return async (address) => {
      const consumed = await consume(ofNetwork, networkOf(address))
      const slow = verdict(what, points, consumed)
      if (slow) return slow
      const waitMs = await all.spend(ALL, 1)
      if (waitMs === undefined) return undefined
      if (consumed.spent.consumedPoints > modest) return everybody(whatOfAll, waitMs)
      if (!(await consume(ofMany, wideNetworkOf(address))).allowed) return everybody(whatOfAll, waitMs)
      const waitForAllMs = await reserve.spend(ALL, 1)
      return waitForAllMs === undefined ? undefined : everybody(whatOfAll, waitForAllMs)
    }
  }
  const codes = ofAll(
    { what: 'codes', whatOfAll: 'codes_cluster', name: 'codes' },
    { points: config.codesPerMinute, inAll: config.codesInCluster, seconds: 60 },
  )
  const authorizations = ofAll(
    { what: 'authorizations', whatOfAll: 'authorizations_cluster', name: 'authorizations' },
    { points: config.codesPerMinute, inAll: config.codesInCluster, seconds: 60 },
  )
  const demoPeople = ofAll(
    { what: 'demo_people', whatOfAll: 'demo_people', name: 'demo-people' },
    { points: config.demoPeople, inAll: 10 * config.demoPeople, seconds: 3_600 },
  )
  const typedCodes = ofAll({ what: 'typed_codes', whatOfAll: 'typed_codes_cluster', name: 'typed-codes' }, TYPED)

  const pictures = counter('pictures', PICTURES, 120)
  const checks = counter(BY_ACCOUNT.checks, CHECKS, 600)

  return {
    codes,
    authorizations,
    demoPeople,
    userCodes: inCluster(BY_ACCOUNT.userCodes, 5),
    typedCodes,
    requests: byNetwork(onNode('requests', config.requestsPerMinute)),
    decisions: onNode('decisions', config.decisionsPerMinute),
    ticket: onNode('ticket', 120),
    pictures: async (ticket) => {
      const consumed = await consume(pictures, ticket)
      return { slow: verdict('pictures', PICTURES, consumed), isFirst: consumed.spent.isFirstInDuration }
    },
    links: inCluster('links', 6, 120),
    verificationDigits: Object.assign(judge('checks', checks, CHECKS), {
      giveBack: async (sub: string) => {
        try {
          await checks.reward(sub)
        } catch (cause) {
          throw new RedisUnavailable('the rate limit cannot be read', { cause })
        }
      },
    }),
    handshakes: byNetwork(onNode('handshakes', config.handshakesPerMinute)),
    keys: onNode('keys', 60_000),
    events: onNode('events', EVENTS.points, EVENTS.seconds),
    liveEvents: onNode('live_events', config.eventsPerTenSeconds, 10),
    keyEvents: onNode('key_events', config.keyEventsPerTenSeconds, 10),
    subscribes: onNode('subscribes', 2 * config.channels, 10),
  }
}
