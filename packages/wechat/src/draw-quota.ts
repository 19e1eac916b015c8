import { orUnavailable, type RedisClients } from '@saoma/redis'
import { COUNTER_MS, countOne, presentMinute } from './per-minute-counter.ts'

/** Codes that WeChat draws for one app in a minute. */
export const CODES_PER_MINUTE = 5_000

/**
 * The codes that all nodes had drawn in this minute. Both calls reject with RedisUnavailable when Redis
 * cannot be asked.
 */
export interface Budget {
  /** Counts one call. Nobody is refused: who waits for a code is served as long as WeChat will. */
  count(): Promise<void>
  /** How many were counted in this minute. */
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
