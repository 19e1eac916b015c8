import { type Connection, createBudget, type Keys, RedisUnavailable } from '@saoma/redis'
import { type RateLimiterAbstract, RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import { networkOf, wideNetworkOf } from '../access/networks.ts'
import type { Config } from '../config/config.ts'
import type { Metrics } from '../operate/metrics.ts'

/**
 * `undefined` when the call may go on, else the seconds to wait and how many times the limit was asked for.
 */
export type Verdict =
  | {
      retryAfterSeconds: number
      excess: number
      /** It is not the asker who asked too often, but all together. */
      everybody?: true
    }
  | undefined
/** A sender this far above its limit does not listen to refusals. */
export const DEAF_FACTOR = 5
export const isDeaf = (verdict: NonNullable<Verdict>): boolean => verdict.excess > DEAF_FACTOR

/** What a waiting browser may say: this many events in so many seconds. */
export const EVENTS = { points: 20, seconds: 10 }

/** The one subject of a budget that is nobody's own. */
const ALL = 'all'
/** A network that has had at most this part of its own limit has had little. */
const MODEST = 12

/**
 * Three visits of one ticket, each of which may ask for both forms of the picture. Every one may be drawn by
 * WeChat.
 */
const PICTURES = 6
const CHECKS = 5

/** `points` is what the call costs, 1 unless told. */
type Limit = (subject: string, points?: number) => Promise<Verdict>

export interface Limits {
  /** New codes, per address and of all together, cluster-wide: each one costs memory. */
  codes: Limit
  /** New people of the demo, per address and of all together, cluster-wide: an account is for ever. */
  demoPeople: Limit
  /** Typed user codes, per account, cluster-wide: RFC 8628 section 5.1. */
  userCodes: Limit
  /** Everything else over HTTP, per address and node. */
  requests: Limit
  /** Scans, confirmations and refusals, per account and node. */
  decisions: Limit
  /** Scans, confirmations and refusals of one ticket, per node. */
  ticket: Limit
  /** Pictures of one ticket, cluster-wide. `isFirst` when nobody has asked before. */
  pictures: (ticket: string) => Promise<{ slow: Verdict; isFirst: boolean }>
  /** Links of one ticket, cluster-wide. */
  links: Limit
  /**
   * Numbers given for pooled codes, per account, cluster-wide: there are only ninety. A right one is given
   * back.
   */
  verificationDigits: Limit & { giveBack(sub: string): Promise<void> }
  /** New sockets, per address and node. */
  handshakes: Limit
  /** Everything over HTTP that bears an API key, per key and node. */
  keys: Limit
  /**
   * Events of one waiting browser's connection, which a client cannot renew by leaving a namespace and
   * joining it again.
   */
  events: Limit
  /** Events of one person's connection to the channels. */
  liveEvents: Limit
  /** Events of one backend's connection to the channels. */
  keyEvents: Limit
  /** Subscriptions of one connection: each one makes Redis work. */
  subscribes: Limit
}

const byNetwork =
  (limit: Limit): Limit =>
  (address, points) =>
    limit(networkOf(address), points)

/** Numbers are sized for a school or an office behind one address. */
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
   * A limit of each network, and one of all together. The second half of that is for those who have had
   * little: who uses up the first one, with however many networks of one owner, does not keep them out.
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
  const demoPeople = ofAll(
    { what: 'demo_people', whatOfAll: 'demo_people', name: 'demo-people' },
    { points: config.demoPeople, inAll: 10 * config.demoPeople, seconds: 3_600 },
  )

  const pictures = counter('pictures', PICTURES, 120)
  const checks = counter('checks', CHECKS, 600)

  return {
    codes,
    demoPeople,
    userCodes: inCluster('user_codes', 5),
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
