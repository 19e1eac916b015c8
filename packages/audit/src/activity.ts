import { type ActivityEntry, type ActivityPage, fail, ok, type Result } from '@saoma/protocol'
import type { QuickSeal, RedisClients } from '@saoma/redis'
import { type Place, placeOf } from './cursor.ts'
import { decode, type Entry } from './entry.ts'
import { partOfPerson } from './parts.ts'
import { own } from './scripts.ts'

/** Which page of a person's own entries. */
export interface ActivityQuery {
  /** 1 to `MOST_ACTIVITY`. @default 20 */
  limit?: number
  cursor?: string
}

export const MOST_ACTIVITY = 100
const ACTIVITY = 20
/** The syntax of a cursor: the place of the last entry, which need not be there any more. */
export const activityCursorPattern: RegExp = /^[0-9a-z]{1,9}-[0-9a-z]{1,9}$/

const encode = ({ ms, seq }: Place): string => `${ms.toString(36)}-${seq.toString(36)}`

const decodeCursor = (cursor: string): Place | undefined => {
  if (!activityCursorPattern.test(cursor)) return undefined
  const [ms = '', seq = ''] = cursor.split('-')
  return { ms: Number.parseInt(ms, 36), seq: Number.parseInt(seq, 36) }
}

/**
 * What a person is told of an entry: neither the node, nor whose key it was, nor from where somebody else did
 * it.
 */
const toldOf = ({
  id,
  kind,
  time,
  ticket,
  sid,
  client,
  app,
  mode,
  by,
  reason,
  ip,
  browser,
  os,
}: Entry): ActivityEntry => ({
  ...{ id, kind, time, ticket, sid, client, app, mode, by, reason },
  ...(by === 'backend' || by === 'operator' ? {} : { ip, browser, os }),
})

/** Reads the entries of one person, the newest first. Each page is one script. */
export const createActivity =
  ({ data, keys }: Pick<RedisClients, 'data' | 'keys'>, seal: QuickSeal) =>
  async (person: string, { limit = ACTIVITY, cursor }: ActivityQuery): Promise<Result<ActivityPage>> => {
    const before = cursor === undefined ? undefined : decodeCursor(cursor)
    if (cursor !== undefined && !before) return fail('INVALID')
    const part = partOfPerson(person)
    const most = Math.max(1, Math.min(limit, MOST_ACTIVITY))
    const { more, found } = await own(
      data,
      [keys.audit(part), keys.auditOf(part, person), keys.auditDone(part, person)],
      [before?.ms ?? '', before?.seq ?? '', most],
    )
    const [last] = found.at(-1) ?? []
    return ok({
      entries: found.map((raw) => toldOf(decode(part, raw, seal))),
      ...(more && last !== undefined ? { cursor: encode(placeOf(last)) } : {}),
    })
  }
