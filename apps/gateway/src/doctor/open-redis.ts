import { createRedis, type RedisClients, RedisUnavailable } from '@saoma/redis'
import type { Config } from '../config/config.ts'
import { placeOf } from '../operate/open-redis.ts'

/** Short, because a person waits for the command. */
const READY_MS = 4_000

/**
 * Opens Redis as a node does, with its credentials and certificates, and closes it again. It sends no beats
 * and takes no name, so the cluster does not notice it.
 */
export const withRedis = async <T>(
  config: Config,
  url: string,
  signal: AbortSignal,
  work: (redis: RedisClients) => Promise<T>,
): Promise<T> => {
  signal.throwIfAborted()
  const redis = await createRedis({
    url,
    certificates: config.redisCertificates,
    prefix: config.redisPrefix,
    replicas: config.replicas,
    name: 'saoma-doctor',
    probeMs: 0,
    readyTimeoutMs: READY_MS,
  })
  try {
    signal.throwIfAborted()
    return await work(redis)
  } finally {
    await redis.close()
  }
}

/** The Redis of the logins, and that of the channels if they have one of their own. */
export const redisOf = ({ redisUrl, redisChannelsUrl }: Config): { name: string; url: string; holds: Holds }[] => [
  { name: 'REDIS_URL', url: redisUrl, holds: redisChannelsUrl ? 'logins' : 'all' },
  ...(redisChannelsUrl ? [{ name: 'REDIS_CHANNELS_URL', url: redisChannelsUrl, holds: 'channels' as const }] : []),
]
/** What a Redis holds. */
export type Holds = 'all' | 'logins' | 'channels'

/** Why a Redis could not be asked, for people. Undefined for any other error. */
export const whyAway = (error: unknown, name: string, url: string): string | undefined => {
  if (!(error instanceof Error)) return undefined
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : ''
  if (error instanceof RedisUnavailable) return `${error.message}: ${name} names ${placeOf(url)}${cause}`
  // It says what to do.
  return error.name === 'RedisRefused' ? error.message : undefined
}
