import { setImmediate as turn } from 'node:timers/promises'
import { fail, ok, type Result } from '@saoma/protocol'
import { orUnavailable, type QuickSeal, type RedisClients } from '@saoma/redis'
import { compare, decodeCursor, encodeCursor, idOf, type Place, placeOf } from './cursor.ts'
import { decode, type Entry, fieldOf, type Raw } from './entry.ts'
import { isKindOrGroup, isOneOf } from './kinds.ts'
import { parseNetwork } from './networks.ts'
import { partOfPerson, parts } from './parts.ts'
import { MOST_LATE_MS } from './writer.ts'

/** Which entries are wanted. All conditions hold together. */
export interface AuditQuery {
  /** Kinds, or groups of kinds such as `login`. Empty: all. */
  kinds?: readonly string[]
  person?: string
  ticket?: string
  sid?: string
  /** An OAuth client. */
  client?: string
  /** An address, or a network such as `203.0.113.0/24`. */
  network?: string
  /** Milliseconds since 1970, both included. */
  from?: number
  to?: number
  /** @default 'newest' */
  order?: 'newest' | 'oldest'
  /** 1 to `MOST_ENTRIES`. @default 50 */
  limit?: number
  /** Where the page before ended. A cursor belongs to one order, and may be used with other conditions. */
  cursor?: string
}

export interface AuditPage {
  entries: Entry[]
  /**
   * Where this page ends. A page may be short of its limit, or empty, and still have `more`: the work for one
   * page is bounded. With the order `oldest` and without `more` it is where later entries will follow.
   */
  cursor: string
  more: boolean
}

export const MOST_ENTRIES = 500
const ENTRIES = 50
/** Entries that are looked at for one page. */
const MOST_LOOKED = 5_000
/** Entries that are looked at before others get their turn of the event loop. */
const LOOKED_A_TURN = 200
/** Entries that are fetched from a part at once. */
const LEAST_FETCHED = 20
const MOST_FETCHED = 500

/** What is left of one part. */
interface Source {
  part: string
  /** Of what was used last. Undefined at the beginning. */
  place?: Place
  /** Of what was fetched last. */
  fetched?: Place
  waiting: Raw[]
  isDone: boolean
}

const LOWEST: Place = { ms: 0, seq: 0 }

/** The place above an entry, for the order `newest`; of a part without entries the lowest. */
const aboveOf = (id: string | undefined): Place => {
  if (id === undefined) return LOWEST
  const { ms, seq } = placeOf(id)
  return { ms, seq: seq + 1 }
}

export interface Reader {
  /** INVALID for a query that cannot be. Rejects with RedisUnavailable. */
  read(query: AuditQuery): Promise<Result<AuditPage>>
  /** The cursor behind the newest entries, for the order `oldest`. Rejects with RedisUnavailable. */
  end(): Promise<string>
}

export const createReader = ({ data, keys }: Pick<RedisClients, 'data' | 'keys'>, seal: QuickSeal): Reader => {
  const read = async (query: AuditQuery): Promise<Result<AuditPage>> => {
    const { kinds = [], person, ticket, sid, client, to, order = 'newest', limit = ENTRIES, cursor } = query
    // Redis knows no time before 1970.
    const from = Math.max(0, query.from ?? 0)
    const network = query.network === undefined ? undefined : parseNetwork(query.network)
    const places = cursor === undefined ? new Map<string, Place>() : decodeCursor(cursor)
    if (!places || network?.ok === false || !kinds.every(isKindOrGroup)) return fail('INVALID')
    const isNewest = order === 'newest'
    const most = Math.max(1, Math.min(limit, MOST_ENTRIES))
    const wanted = person === undefined ? parts : [partOfPerson(person)]
    const batch = Math.min(MOST_FETCHED, Math.max(LEAST_FETCHED, Math.ceil((2 * most) / wanted.length)))
    // Ids have the time of the write, which is later than what the entry tells of, by this time at most.
    const last = to === undefined ? '+' : `${Math.max(0, to + MOST_LATE_MS)}`

    const fetch = async (source: Source): Promise<void> => {
      // Redis refuses a range that ends before the first id.
      if (isNewest && source.fetched && compare(source.fetched, LOWEST) === 0) {
        source.isDone = true
        return
      }
      const after = source.fetched && `(${idOf(source.fetched)}`
      const key = keys.audit(source.part)
      const found = await orUnavailable(
        isNewest
          ? data.xrevrange(key, after ?? last, from, 'COUNT', batch)
          : data.xrange(key, after ?? from, last, 'COUNT', batch),
      )
      source.waiting = found
      source.isDone = found.length < batch
      const [id] = found.at(-1) ?? []
      if (id !== undefined) source.fetched = placeOf(id)
    }
    const sources = wanted.map((part): Source => {
      const place = places.get(part)
      return { part, waiting: [], isDone: false, ...(place ? { place, fetched: place } : {}) }
    })
    await Promise.all(sources.map(fetch))

    /**
     * The source whose next entry comes first: by the time of what happened, since each part was written at
     * its own moment. Within a part the order is that of the writes.
     */
    const next = async (): Promise<Source | undefined> => {
      let first: { source: Source; at: Place } | undefined
      for (const source of sources) {
        if (source.waiting.length === 0 && !source.isDone) await fetch(source)
        const [id, fields] = source.waiting[0] ?? []
        if (id === undefined || fields === undefined) continue
        const at = { ms: Number(fieldOf(fields, 't')), seq: placeOf(id).seq }
        const order = first ? compare(at, first.at) : 0
        if (!first || (isNewest ? order > 0 : order < 0)) first = { source, at }
      }
      return first?.source
    }

    /** What can be said before anything is opened. */
    const mayBeWanted = ([, fields]: Raw): boolean =>
      isOneOf(fieldOf(fields, 'k'), kinds) && (person === undefined || fieldOf(fields, 'p') === person)
    const isWanted = (entry: Entry): boolean =>
      (ticket === undefined || entry.ticket === ticket) &&
      (sid === undefined || entry.sid === sid) &&
      (client === undefined || entry.client === client) &&
      (network === undefined || (network.ok && network.value(entry.ip ?? ''))) &&
      Date.parse(entry.time) >= from &&
      (to === undefined || Date.parse(entry.time) <= to)

    const entries: Entry[] = []
    // Of a part that gives nothing to this page, what is newer than now belongs to no later page either.
    const heads = new Map(sources.map(({ part, waiting }) => [part, waiting[0]?.[0]]))
    let source = await next()
    for (let looked = 0; source && entries.length < most && looked < MOST_LOOKED; looked++) {
      const raw = source.waiting.shift()
      if (!raw) break
      source.place = placeOf(raw[0])
      const entry = mayBeWanted(raw) ? decode(source.part, raw, seal) : undefined
      if (entry && isWanted(entry)) entries.push(entry)
      source = await next()
      if (looked % LOOKED_A_TURN === LOOKED_A_TURN - 1) await turn()
    }
    const ends = sources.flatMap(({ part, place = isNewest ? aboveOf(heads.get(part)) : undefined }) =>
      place ? [[part, place] as const] : [],
    )
    return ok({
      entries,
      cursor: encodeCursor(new Map([...places, ...ends])),
      more: source !== undefined,
    })
  }

  const end = async (): Promise<string> => {
    const ends = await Promise.all(
      parts.map(async (part) => {
        const [newest] = await orUnavailable(data.xrevrange(keys.audit(part), '+', '-', 'COUNT', 1))
        return [part, newest ? placeOf(newest[0]) : LOWEST] as const
      }),
    )
    return encodeCursor(new Map(ends))
  }

  return { read, end }
}
