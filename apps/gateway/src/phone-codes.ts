import { type Connection, createBudget, type Keys, RedisUnavailable } from '@saoma/redis'
import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import type { Config } from './config.ts'
import type { Metrics } from './metrics.ts'
import { networkOf } from './networks.ts'

/** Who may have WeChat asked about a code. */
export interface PhoneCodes {
  /**
   * Resolves with the seconds to wait, or with how to say what came of it: `false` when WeChat did not accept the code. Call that once, in
   * any case. Rejects with RedisUnavailable.
   */
  ask(
    address: string,
  ): Promise<{ ok: true; answered(accepted: boolean): Promise<void> } | { ok: false; seconds: number }>
}

const WINDOW_SECONDS = 600
const MINUTE_MS = 60_000
const ALL = 'all'
/** When one may ask again who only has too many questions open. */
const SOON_SECONDS = 1

/**
 * WeChat's quota is the cluster's, and anybody can make up codes. A network pays for codes that WeChat refused, and not for those that
 * were people: a school that logs in at once is not held up. Half of the calls of a minute may be wasted on refused codes; then only
 * networks that had none are asked for.
 */
export const createPhoneCodes = (
  redis: { data: Connection; keys: Keys },
  { badPhoneCodes, phoneCodesInCluster }: Pick<Config['limits'], 'badPhoneCodes' | 'phoneCodesInCluster'>,
  { limited }: Pick<Metrics, 'limited'>,
): PhoneCodes => {
  const bad = new RateLimiterRedis({
    storeClient: redis.data,
    keyPrefix: redis.keys.rateLimit('bad_phone_codes'),
    points: badPhoneCodes,
    duration: WINDOW_SECONDS,
  })
  const calls = createBudget(redis, { name: 'phone-codes', limit: phoneCodesInCluster, windowMs: MINUTE_MS })
  const wasted = createBudget(redis, {
    name: 'bad-phone-codes',
    limit: Math.ceil(phoneCodesInCluster / 2),
    windowMs: MINUTE_MS,
  })
  /** Questions of this node that WeChat has not answered yet, by network: any of them may turn out bad. */
  const open = new Map<string, number>()
  let strangersUntil = 0

  const failedOf = async (network: string): Promise<{ count: number; ms: number }> => {
    try {
      const known = await bad.get(network)
      return { count: known?.consumedPoints ?? 0, ms: known?.msBeforeNext ?? 0 }
    } catch (cause) {
      throw new RedisUnavailable('the rate limit cannot be read', { cause })
    }
  }
  const refuse = (what: string, ms: number): { ok: false; seconds: number } => {
    limited.inc({ what })
    return { ok: false, seconds: Math.max(SOON_SECONDS, Math.ceil(ms / 1_000)) }
  }
  const leave = (network: string) => {
    const left = (open.get(network) ?? 1) - 1
    if (left > 0) open.set(network, left)
    else open.delete(network)
  }

  const countBad = async (network: string): Promise<void> => {
    try {
      await bad.consume(network)
    } catch (cause) {
      // That it is above its limit is told at its next question.
      if (!(cause instanceof RateLimiterRes)) throw new RedisUnavailable('the rate limit cannot be read', { cause })
    }
    const waitMs = await wasted.spend(ALL, 1)
    if (waitMs !== undefined) strangersUntil = performance.now() + waitMs
  }

  return {
    ask: async (address) => {
      const network = networkOf(address)
      const waiting = open.get(network) ?? 0
      if (waiting >= badPhoneCodes) return refuse('bad_phone_codes', 0)
      open.set(network, waiting + 1)
      try {
        const failed = await failedOf(network)
        const isFull = failed.count >= badPhoneCodes
        if (isFull || failed.count + waiting >= badPhoneCodes) {
          leave(network)
          return refuse('bad_phone_codes', isFull ? failed.ms : 0)
        }
        const waitMs =
          failed.count > 0 && performance.now() < strangersUntil
            ? strangersUntil - performance.now()
            : await calls.spend(ALL, 1)
        if (waitMs !== undefined) {
          leave(network)
          return refuse('phone_codes_cluster', waitMs)
        }
      } catch (error) {
        leave(network)
        throw error
      }
      return {
        ok: true,
        answered: async (accepted) => {
          try {
            if (!accepted) await countBad(network)
          } finally {
            leave(network)
          }
        },
      }
    },
  }
}
