import { type Connection, createBudget, type Keys, RedisUnavailable } from '@saoma/redis'
import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import { networkOf, wideNetworkOf } from '../access/networks.ts'
import type { Config } from '../config/config.ts'
import type { Metrics } from '../operate/metrics.ts'

/** The rate limit of questions to WeChat about `wx.login` codes. */
export interface PhoneCodes {
  /**
   * Resolves with the seconds to wait, or with `answered`, which reports the outcome: `false` if WeChat
   * rejected the code. Always call it, and only once. Rejects with RedisUnavailable.
   */
  ask(
    address: string,
  ): Promise<{ ok: true; answered(accepted: boolean): Promise<void> } | { ok: false; seconds: number }>
}

const WINDOW_SECONDS = 600
const MINUTE_MS = 60_000
const ALL = 'all'
/** When to retry if only too many questions are open. */
const SOON_SECONDS = 1

/**
 * The divisor of a network's limit. Once only the reserve is left, a wide network may have this part of the
 * limit open, because any open question may turn out bad.
 */
const MODEST = 12

/**
 * WeChat's quota is shared by the cluster, and anybody can invent codes. A network pays only for codes that
 * WeChat rejected, so a school whose people log in at once is not limited. Half of the calls of a minute are
 * a reserve for wide networks without a recent rejection, because one owner can have as many small networks
 * as there are codes to try.
 */
export const createPhoneCodes = (
  redis: { data: Connection; keys: Keys },
  { badPhoneCodes, phoneCodesInCluster }: Pick<Config['limits'], 'badPhoneCodes' | 'phoneCodesInCluster'>,
  { limited }: Pick<Metrics, 'limited'>,
): PhoneCodes => {
  /** Counts rejected codes of networks, and of wide networks under a prefix. */
  const bad = new RateLimiterRedis({
    storeClient: redis.data,
    keyPrefix: redis.keys.rateLimit('bad_phone_codes'),
    points: badPhoneCodes,
    duration: WINDOW_SECONDS,
  })
  const half = (name: string) =>
    createBudget(redis, { name, limit: Math.ceil(phoneCodesInCluster / 2), windowMs: MINUTE_MS })
  const calls = half('phone-codes')
  const reserve = half('phone-codes-reserve')
  const modest = Math.ceil(badPhoneCodes / MODEST)
  const wideOf = (address: string) => `wide:${wideNetworkOf(address)}`
  /** Open questions of this node, by network. Any of them may turn out bad. */
  const open = new Map<string, number>()

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
  const openOf = (network: string) => open.get(network) ?? 0
  const enter = (network: string) => open.set(network, openOf(network) + 1)
  const leave = (network: string) => {
    const left = openOf(network) - 1
    if (left > 0) open.set(network, left)
    else open.delete(network)
  }

  const countBad = async (network: string): Promise<void> => {
    try {
      await bad.consume(network)
    } catch (cause) {
      // The limit is exceeded. The next question is refused for that.
      if (!(cause instanceof RateLimiterRes)) throw new RedisUnavailable('the rate limit cannot be read', { cause })
    }
  }

  /** Spends one call. Resolves with the milliseconds to wait if none is left for this network. */
  const spend = async (wide: string, waiting: number): Promise<number | undefined> => {
    const waitMs = await calls.spend(ALL, 1)
    if (waitMs === undefined) return undefined
    return waiting < modest && (await failedOf(wide)).count === 0 ? reserve.spend(ALL, 1) : waitMs
  }

  return {
    ask: async (address) => {
      const [network, wide] = [networkOf(address), wideOf(address)]
      const [waiting, waitingWide] = [openOf(network), openOf(wide)]
      if (waiting >= badPhoneCodes) return refuse('bad_phone_codes', 0)
      for (const each of [network, wide]) enter(each)
      const leaveBoth = () => [network, wide].forEach(leave)
      try {
        const failed = await failedOf(network)
        const isFull = failed.count >= badPhoneCodes
        if (isFull || failed.count + waiting >= badPhoneCodes) {
          leaveBoth()
          return refuse('bad_phone_codes', isFull ? failed.ms : 0)
        }
        const waitMs = await spend(wide, waitingWide)
        if (waitMs !== undefined) {
          leaveBoth()
          return refuse('phone_codes_cluster', waitMs)
        }
      } catch (error) {
        leaveBoth()
        throw error
      }
      return {
        ok: true,
        answered: async (accepted) => {
          try {
            if (!accepted) await Promise.all([network, wide].map(countBad))
          } finally {
            leaveBoth()
          }
        },
      }
    },
  }
}
