import { orUnavailable, type RedisClients } from '@saoma/redis'
import type { Config } from '../config/config.ts'
import { redisOf, withRedis } from './open-redis.ts'

/** The clients of both Redis; the same where the channels have none of their own. */
export interface BothRedis {
  logins: RedisClients
  channels: RedisClients
}

/** Opens the Redis of the logins, and that of the channels if it is another one. */
export const withBoth = <T>(config: Config, signal: AbortSignal, work: (both: BothRedis) => Promise<T>): Promise<T> => {
  const [logins, apart] = redisOf(config)
  return withRedis(config, logins?.url ?? '', signal, (opened) =>
    apart
      ? withRedis(config, apart.url, signal, (channels) => work({ logins: opened, channels }))
      : work({ logins: opened, channels: opened }),
  )
}

/**
 * The ids of the nodes that live. Every node renews a lease for its presence in the channels' Redis, so
 * nobody has to search all keys. It only reads.
 */
export const liveNodes = async ({ channels: { data, keys } }: BothRedis): Promise<string[]> => {
  const [seconds, microseconds] = await orUnavailable(data.time())
  const now = Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000)
  const names = await orUnavailable(data.zrange(keys.nodes(), `${now}`, '+inf', 'BYSCORE'))
  // A name is the node's id, a dot and a random part.
  return [...new Set(names.map((name) => name.slice(0, name.lastIndexOf('.'))))].sort()
}
