import { setTimeout as delay } from 'node:timers/promises'
import type { ActivityPage, Result } from '@saoma/protocol'
import { createQuickSeal, every, orUnavailable, type RedisClients, RedisUnavailable } from '@saoma/redis'
import { type ActivityQuery, createActivity } from './activity.ts'
import type { Entry, Note, NoteOptions } from './entry.ts'
import { createForget } from './forget.ts'
import { parts } from './parts.ts'
import { type AuditPage, type AuditQuery, createReader } from './reader.ts'
import { createRefusals, type Refusals } from './refusals.ts'
import { createWriter, type WriterOptions } from './writer.ts'

/**
 * The record of what happened; SPEC.md holds the rules. Calls that read reject with RedisUnavailable when
 * Redis is unavailable. Calls that note something never fail.
 */
export interface Audit {
  /** Takes an entry. It is written a moment later, off the way of the caller. Never throws. */
  note(note: Note, options?: NoteOptions): void
  /** Counts refusals by the minute. */
  refusals: Pick<Refusals, 'count' | 'of'>
  /** A page of all entries. INVALID for a query that cannot be. */
  read(query: AuditQuery): Promise<Result<AuditPage>>
  /** The cursor behind the newest entries. */
  end(): Promise<string>
  /**
   * Yields the entries after a cursor, oldest first, and those that follow, until the signal is aborted. Asks
   * Redis again after each `pauseMs` without a new entry, also while Redis is away.
   */
  follow(query: Omit<AuditQuery, 'order'>, signal: AbortSignal, options?: FollowOptions): AsyncGenerator<Entry>
  /** A page of one person's own entries, newest first. INVALID for a cursor that is none. */
  activity(person: string, query?: ActivityQuery): Promise<Result<ActivityPage>>
  /**
   * Erases all that is noted of a person, except an entry `account.deleted`. Resolves with how many entries
   * were deleted. Can be repeated.
   */
  forget(person: string): Promise<number>
  /** Resolves when all that was noted before is written, or lost. */
  flush(): Promise<void>
  close(): Promise<void>
}

export interface FollowOptions {
  /** @default 500 */
  pauseMs?: number
  /** Called each time that Redis cannot be asked. */
  onAway?: (error: RedisUnavailable) => void
}

export interface AuditOptions extends WriterOptions {
  /** Whether entries are written. What was written before can be read in any case. @default true */
  isOn?: boolean
  /** Milliseconds over which refusals are counted together. @default a minute */
  countMs?: number
}

const HOUR_MS = 3_600_000
const PAUSE_MS = 500

export const createAudit = (redis: Pick<RedisClients, 'data' | 'keys'>, options: AuditOptions): Audit => {
  const { data, keys } = redis
  const { isOn = true, keepMs, onError = () => {} } = options
  const seal = createQuickSeal({ secrets: options.secrets, purpose: 'saoma audit' })
  const writer = createWriter(redis, seal, options)
  const reader = createReader(redis, seal)
  const note: Audit['note'] = isOn ? writer.note : () => {}
  const refusals = createRefusals(note, options.countMs)

  /** Each write trims its part. This is for parts that get none. */
  const trim = async (): Promise<void> => {
    const [seconds = 0] = (await orUnavailable(data.time())).map(Number)
    const oldest = seconds * 1_000 - keepMs
    for (const part of parts) await orUnavailable(data.xtrim(keys.audit(part), 'MINID', '=', `${oldest}-0`))
  }
  // An hour later it is tried again.
  const stop = every(HOUR_MS, () => void trim().catch(onError))

  return {
    note,
    refusals,
    read: reader.read,
    end: reader.end,
    follow: async function* (query, signal, { pauseMs = PAUSE_MS, onAway = () => {} } = {}) {
      let cursor = query.cursor
      const next = async () => {
        try {
          return await reader.read({ ...query, order: 'oldest', ...(cursor === undefined ? {} : { cursor }) })
        } catch (error) {
          if (!(error instanceof RedisUnavailable)) throw error
          onAway(error)
          return undefined
        }
      }
      while (!signal.aborted) {
        const page = await next()
        if (page?.ok === false) throw new TypeError('the query cannot be followed')
        if (page) {
          yield* page.value.entries
          cursor = page.value.cursor
        }
        if (!page?.value.more) await delay(pauseMs, undefined, { signal }).catch(() => {})
      }
    },
    activity: (person, query = {}) => createActivity(redis, seal)(person, query),
    forget: createForget(redis),
    flush: writer.flush,
    close: async () => {
      stop()
      refusals.close()
      await writer.close()
    },
  }
}
