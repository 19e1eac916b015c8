import { nodesAlive, type RedisClients } from '@saoma/redis'
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

/** The ids of the nodes that live. It only reads. */
export const liveNodes = ({ channels }: BothRedis): Promise<string[]> => nodesAlive(channels)
