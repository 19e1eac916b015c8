import type { RedisClients } from '@saoma/redis'
import { hashOf, partOfPerson } from './parts.ts'
import { erase } from './scripts.ts'
import { MOST_LATE_MS } from './writer.ts'

/**
 * Erases all that is noted of a person, except that they were deleted. Entries of before that moment, and of
 * the next five seconds, are not written any more: other nodes may still hold some. Can be repeated.
 *
 * @returns how many entries were deleted
 */
export const createForget =
  ({ data, keys }: Pick<RedisClients, 'data' | 'keys'>) =>
  (person: string): Promise<number> => {
    const part = partOfPerson(person)
    return erase(
      data,
      [
        ...([keys.audit(part), keys.auditOf(part, person), keys.auditDone(part, person)] as const),
        ...([keys.auditPlaces(part, person), keys.auditErased(part, hashOf(person))] as const),
      ],
      [2 * MOST_LATE_MS, keys.auditBy(part, '')],
    )
  }
