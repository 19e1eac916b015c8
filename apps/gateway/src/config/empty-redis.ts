import { isVoid } from '@saoma/identity'
import type { RedisClients } from '@saoma/redis'
import type { Logger } from '../operate/log.ts'
import { placeOf } from '../operate/open-redis.ts'
import { type Config, ConfigError } from './config.ts'

/**
 * Checks whether a node may begin a new cluster in an empty Redis. Rejects with ConfigError if it may not.
 */
export const mayBegin = async (
  redis: RedisClients,
  { redisUrl, redisPrefix, mayBegin }: Pick<Config, 'redisUrl' | 'redisPrefix' | 'mayBegin'>,
  log: Pick<Logger, 'warn'>,
): Promise<void> => {
  if (!(await isVoid(redis))) return
  const empty = `Redis has nothing of this cluster (${placeOf(redisUrl)}, SAOMA_REDIS_PREFIX ${redisPrefix})`
  if (!mayBegin)
    throw new ConfigError([
      `SAOMA_EMPTY_REDIS is refuse, and ${empty}: restore its backup, as docs/operate.md says. To begin anew set begin`,
    ])
  log.warn(
    { event: 'empty' },
    `${empty}: a new cluster begins, and all people get new ids. Should a backup have been restored?`,
  )
}
