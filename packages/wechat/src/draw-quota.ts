import { orUnavailable, type RedisClients } from '@saoma/redis'
import { COUNTER_MS, countOne, presentMinute } from './per-minute-counter.ts'

/** WeChat's quota of codes per app and minute. */
export const CODES_PER_MINUTE = 5_000

/**
 * Counts the codes that all nodes draw per minute. Both methods reject with RedisUnavailable when Redis is
 * unavailable.
 */
export interface Budget {
  /** Counts one call. It never refuses: a waiting person is served as long as WeChat allows. */
  count(): Promise<void>
  /** How many calls were counted in this minute. */
  used(): Promise<number>
}

export const createBudget = (redis: RedisClients, appid: string): Budget => {
  const { data, keys } = redis
  const counter = () => keys.wechatDraws(appid, presentMinute())
  return {
    count: async () => void (await countOne(data, [counter()], [COUNTER_MS])),
    used: async () => Number(await orUnavailable(data.get(counter()))),
  }
}
