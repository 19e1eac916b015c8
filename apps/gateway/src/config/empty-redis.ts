import { isVoid } from '@saoma/identity'
import type { RedisClients } from '@saoma/redis'
import type { Logger } from '../operate/log.ts'
import { placeOf } from '../operate/open-redis.ts'
import { type Config, ConfigError } from './config.ts'

/**
 * Whether a cluster may begin anew where Redis has nothing of it. Rejects with ConfigError when it may not.
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
    `${empty}: it begins anew, and everybody gets a new id. Should there have been a backup?`,
  )
}
