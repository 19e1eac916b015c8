import { orUnavailable, type RedisClients } from '@saoma/redis'
import { fieldOf } from './entry.ts'
import { ownerOf, partOfPerson } from './parts.ts'
import { erase } from './scripts.ts'
import { MOST_LATE_MS } from './writer.ts'

/** Entries that are read at once. */
const COUNT = 1_000
/** Says nothing but that this person is no more. */
const STAYS = 'account.deleted'

/**
 * Erases all that is noted of a person, except that they were deleted. Entries of before that moment, and of
 * the next five seconds, are not written any more: other nodes may still hold some. Can be repeated.
 *
 * @returns how many entries were deleted
 */
export const createForget =
  ({ data, keys }: Pick<RedisClients, 'data' | 'keys'>) =>
  async (person: string): Promise<number> => {
    const part = partOfPerson(person)
    const owner = ownerOf(person)
    const key = keys.audit(part)
    const now = await erase(
      data,
      [keys.auditOf(part, owner), keys.auditPlaces(part, owner), keys.auditErased(part, owner)],
      [2 * MOST_LATE_MS],
    )
    let erased = 0
    let from = '-'
    for (;;) {
      const found = await orUnavailable(data.xrange(key, from, now, 'COUNT', COUNT))
      const theirs = found
        .filter(([, fields]) => fieldOf(fields, 'p') === person && fieldOf(fields, 'k') !== STAYS)
        .map(([id]) => id)
      if (theirs.length > 0) erased += await orUnavailable(data.xdel(key, ...theirs))
      const last = found.at(-1)
      if (!last || found.length < COUNT) return erased
      from = `(${last[0]}`
    }
  }
