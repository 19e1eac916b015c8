import { createRedis, type RedisClients, type RedisOptions, RedisUnavailable } from '@saoma/redis'
import type { Config } from '../config/config.ts'
import { unreachable } from '../operate/open-redis.ts'

/** Short, because a person waits for the command. */
const READY_MS = 5_000

/**
 * The error for the operator, if Redis was the reason.
 *
 * @param hint  what to do after Redis was lost in the middle
 */
export const forOperator = (error: unknown, url: string, hint = ''): unknown =>
  error instanceof RedisUnavailable
    ? new Error([unreachable(error, url), hint].join(' ').trim(), { cause: error })
    : error

/**
 * Connects a command to a Redis of the settings. Rejects with an error for the operator if it cannot be
 * reached.
 *
 * @param name  of the command, for `CLIENT LIST`
 * @param options  `url`: another Redis than that of the logins. `replicas`: for a command whose writes must
 * last
 */
export const openCommandRedis = async (
  name: string,
  { redisUrl, redisCertificates, redisPrefix }: Pick<Config, 'redisUrl' | 'redisCertificates' | 'redisPrefix'>,
  { url = redisUrl, ...options }: Partial<Pick<RedisOptions, 'url' | 'replicas'>> = {},
): Promise<RedisClients> => {
  try {
    return await createRedis({
      ...{ url, certificates: redisCertificates, prefix: redisPrefix, name: `saoma-${name}` },
      ...{ probeMs: 0, readyTimeoutMs: READY_MS },
      ...options,
    })
  } catch (error) {
    throw forOperator(error, url)
  }
}
