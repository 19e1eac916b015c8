import { type Connection, type Keys, RedisUnavailable } from '@saoma/redis'
import ipaddr from 'ipaddr.js'
import { type RateLimiterAbstract, RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import type { Config } from './config.ts'
import type { Metrics } from './metrics.ts'

/** `undefined` when the call may go on, else the seconds to wait. */
export type Verdict = { retryAfterSeconds: number } | undefined
type Limit = (subject: string) => Promise<Verdict>

export interface Limits {
  /** New codes, per address, cluster-wide: each one costs memory. */
  codes: Limit
  /** Typed user codes, per account, cluster-wide: RFC 8628 section 5.1. */
  userCodes: Limit
  /** Everything else over HTTP, per address and node. */
  requests: Limit
  /** Scans, confirmations and refusals, per account and node. */
  decisions: Limit
  /** Scans, confirmations and refusals of one ticket, per node. */
  ticket: Limit
  /** Pictures of one ticket, cluster-wide. */
  pictures: Limit
  /** New sockets, per address and node. */
  handshakes: Limit
  /** Events of one connection, which a client cannot renew by leaving a namespace and joining it again. */
  events: Limit
}

/** Whoever has one IPv6 address has the 2^64 of its network: they count as one. */
const networkOf = (address: string): string => {
  if (!ipaddr.IPv6.isValid(address)) return address
  return ipaddr.IPv6.parse(address).parts.slice(0, 4).join(':')
}
const byNetwork =
  (limit: Limit): Limit =>
  (address) =>
    limit(networkOf(address))

/** Numbers are sized for a school or an office behind one address. */
export const createLimits = (
  redis: { data: Connection; keys: Keys },
  config: Config['limits'],
  metrics: Metrics,
): Limits => {
  const judge =
    (what: string, limiter: RateLimiterAbstract): Limit =>
    async (subject) => {
      try {
        await limiter.consume(subject)
        return undefined
      } catch (refusal) {
        if (!(refusal instanceof RateLimiterRes))
          throw new RedisUnavailable('the rate limit cannot be read', { cause: refusal })
        metrics.limited.inc({ what })
        return { retryAfterSeconds: Math.max(1, Math.ceil(refusal.msBeforeNext / 1000)) }
      }
    }
  const onNode = (what: string, points: number, duration = 60) =>
    judge(what, new RateLimiterMemory({ points, duration }))
  const inCluster = (what: string, points: number, duration = 60) =>
    judge(
      what,
      new RateLimiterRedis({ storeClient: redis.data, keyPrefix: redis.keys.rateLimit(what), points, duration }),
    )

  return {
    codes: byNetwork(inCluster('codes', config.codesPerMinute)),
    userCodes: inCluster('user_codes', 5),
    requests: byNetwork(onNode('requests', config.requestsPerMinute)),
    decisions: onNode('decisions', config.decisionsPerMinute),
    ticket: onNode('ticket', 120),
    pictures: inCluster('pictures', 8, 120),
    handshakes: byNetwork(onNode('handshakes', config.handshakesPerMinute)),
    events: onNode('events', 20, 10),
  }
}
