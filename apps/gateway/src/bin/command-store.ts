import { type Audit, createAudit } from '@saoma/audit'
import type { Result } from '@saoma/protocol'
import { type RedisClients, RedisUnavailable } from '@saoma/redis'
import type { StoredEntry } from '../access/stored-entry.ts'
import type { TableStore } from '../access/table-store.ts'
import { type Config, readConfig } from '../config/config.ts'
import { forOperator, openCommandRedis } from './command-redis.ts'

/** What a command that changes a table in Redis works with. */
export interface CommandStore {
  redis: RedisClients
  audit: Audit
  config: Config
}

/**
 * Works with the Redis of the settings, and writes what was noted for the audit.
 *
 * @param name  of the command, such as `key`
 * @param given  the settings of a node
 */
export const withCommandStore = async <T>(
  name: string,
  given: Readonly<Record<string, string | undefined>>,
  work: (store: CommandStore) => Promise<T>,
): Promise<T> => {
  const config = readConfig(given)
  const redis = await openCommandRedis(name, config, { replicas: config.replicas })
  const audit = createAudit(redis, { ...config.audit, node: 'command', secrets: config.secrets })
  try {
    return await work({ redis, audit, config })
  } catch (error) {
    throw forOperator(error, config.redisUrl, `Part of it may be done: saoma ${name} list shows it.`)
  } finally {
    await audit.close()
    await redis.close()
  }
}

/** The value, or an error for the user. @param sentences  what to say, by code */
export const orThrow = <T>(result: Result<T>, sentences: Partial<Record<string, string>>): T => {
  if (result.ok) return result.value
  throw new Error(sentences[result.code] ?? result.detail ?? result.code)
}

/**
 * Tells the user something that is told once, when Redis has acknowledged it. If that fails, `undo` takes
 * back what was done, and says how it went.
 */
export const tellOnce = async (
  acknowledged: () => Promise<void>,
  tell: () => Promise<void>,
  undo: (code: string) => Promise<string>,
): Promise<void> => {
  try {
    await acknowledged()
    await tell()
  } catch (error) {
    const said = await undo(`${(error as NodeJS.ErrnoException).code}`)
    if (error instanceof RedisUnavailable) throw error
    throw new Error(said, { cause: error })
  }
}

/**
 * Removes an entry. Resolves with whether there was one.
 *
 * @param note  notes the removal of the entry with this id, if that was not noted yet
 */
export const removeEntry = async <E extends StoredEntry>(
  store: Pick<TableStore<E>, 'remove' | 'read'>,
  name: string,
  note: (id: string) => void,
): Promise<boolean> => {
  const removed = orThrow(await store.remove(name), {})
  // The command that removed it may have ended before it could note it.
  const marks = removed ? [] : [...(await store.read()).removed]
  const id = removed?.id ?? marks.findLast(([, mark]) => mark.name === name)?.[0]
  if (id !== undefined) note(id)
  return removed !== undefined
}
