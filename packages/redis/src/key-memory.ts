import type { Connection } from './connection.ts'
import { orUnavailable } from './replies.ts'
import { mastersOf } from './requirements.ts'
import { shardAt, shardOf } from './tags.ts'

/**
 * Bytes that a key takes, estimated by its master; 0 without the key. Undefined if the master does not say,
 * because the user may not ask, or because the slot has just moved. Rejects with RedisUnavailable when Redis
 * is unavailable.
 */
export const memoryOf = async ({ data }: { data: Connection }, key: string): Promise<number | undefined> => {
  const shard = shardOf(data, key)
  const master = mastersOf(data).find((one) => shardAt(data, one) === shard)
  if (!master) return undefined
  const asked = master.call('MEMORY', 'USAGE', key).catch((error: unknown) => {
    if (error instanceof Error && error.name === 'ReplyError') return undefined
    throw error
  })
  const bytes = await orUnavailable(asked)
  return bytes === undefined ? undefined : Number(bytes ?? 0)
}
