import { randomBytes } from 'node:crypto'
import { fail, ok, type Result } from '@saoma/protocol'
import { orUnavailable, type RedisClients } from '@saoma/redis'
import type { EntryForm, Found, StoredEntry } from './stored-entry.ts'
import { clearEntries, noteUses, type Put, putEntries, removeEntries } from './table-scripts.ts'

/** An entry that was removed. Its mark stays for a while, so that no node puts the entry back. */
export interface Removed {
  name: string
  /** When the mark may go, in milliseconds since 1970. */
  until: number
}

/** All that Redis has of a table. */
export interface Contents<E extends StoredEntry> {
  /** Changes with each change of an entry; undefined if there never was one. */
  version: string | undefined
  entries: ReadonlyMap<string, Found<E>>
  /** By the id of the entry. */
  removed: ReadonlyMap<string, Removed>
}

/** When an entry was used, in milliseconds since 1970, to about a minute. */
export interface Use {
  first: number
  last: number
}

/** An entry to be stored. `former` is the record that it replaces, or empty. */
export interface Change<E extends StoredEntry> {
  entry: E
  former: string
}

/** The API key that asks for a change. The command is none. */
export interface Caller<E extends StoredEntry> {
  /** Nothing is written if this key is revoked. */
  id: string | undefined
  /** Whether it may change an entry; the failure is the answer. */
  mayChange(entry: E): Result<true>
  /** What its node holds under this name: Redis may have lost it. */
  held(name: string): E | undefined
}

/** An entry that was changed, and what it was before. */
export interface Changed<E extends StoredEntry> {
  entry: E
  before: E
}

/**
 * A table of Redis that every node holds. Every call rejects with RedisUnavailable when Redis is unavailable.
 */
export interface TableStore<E extends StoredEntry> {
  version(): Promise<string | undefined>
  read(): Promise<Contents<E>>
  /** What Redis has under this name. */
  find(name: string): Promise<Found<E> | undefined>
  /** NAME_TAKEN if the name is in use; INVALID if there are too many entries; REVOKED if the caller is. */
  create(order: Omit<E, 'id' | 'revision' | 'madeAt'>, caller?: Caller<E>): Promise<Result<E>>
  /**
   * Changes an entry to what `to` makes of it. The same entry again writes nothing. NOT_FOUND if there is no
   * such entry; REVOKED if the caller is.
   */
  change(name: string, to: (entry: E) => Result<E>, caller?: Caller<E>): Promise<Result<Changed<E>>>
  /** Makes an entry what it was before. Resolves with false if somebody has changed it meanwhile. */
  takeBack(changed: Changed<E>): Promise<boolean>
  /**
   * Resolves with the entry, or with undefined if there is none. Works in a full Redis, and also for an entry
   * that Redis has lost and the caller's node holds.
   */
  remove(name: string, caller?: Caller<E>): Promise<Result<{ id: string } | undefined>>
  /** Stores entries as they are, each if Redis still has `former`. @param asking  id of the asking key */
  put(changes: readonly Change<E>[], asking?: string): Promise<readonly Put[]>
  /** Leaves marks of entries that were removed, and takes those away that are there. */
  mark(removed: ReadonlyMap<string, Removed>): Promise<void>
  /** Whether there is the mark of an entry. */
  isMarked(id: string): Promise<boolean>
  /** Removes what is over by now. */
  clear(contents: Contents<E>): Promise<void>
  uses(): Promise<ReadonlyMap<string, Use>>
  /** Notes uses: time in milliseconds since 1970, by the id of the entry. */
  noteUses(uses: ReadonlyMap<string, number>): Promise<void>
}

export interface TableOptions<E extends StoredEntry> {
  form: EntryForm<E>
  /** Names in Redis, all in one slot: the table, its uses, and the channel of changes. */
  at: { table: string; uses: string; channel: string }
  isName: (name: string) => boolean
  /** Most entries. Every node holds them all. */
  most: number
  /** What the entries are called: `keys`. */
  plural: string
  /** What they are called in an error: `API key`. */
  singular: string
  /** The command that can do what a node cannot. */
  command: string
}

const DAY_MS = 86_400_000
/**
 * Most entries with the marks of removed ones. A mark is never pushed out: then a node might put its entry
 * back.
 */
const MOST_FIELDS = 5_000
/** How long the mark of a removed entry stays. */
export const KEEPS_MARKS_MS = 30 * DAY_MS
/** How long an expired entry is still listed. */
const KEEPS_EXPIRED_MS = 7 * DAY_MS
/** How long the uses are kept when nothing is used any more. */
const KEEPS_USES_MS = 400 * DAY_MS
/** More than entries in Redis and in a file together. */
const MOST_USES = 4_000
/** Changes of others that a change survives. */
const ATTEMPTS = 10
/** Changes in one call: each blocks Redis. */
const BATCH = 100

const VERSION = '.'
const MARK = '!'

/** Whether an entry is no longer listed. */
export const isOver = ({ expiresAt }: StoredEntry, now: number): boolean =>
  expiresAt !== undefined && expiresAt + KEEPS_EXPIRED_MS <= now

/** Whether an entry is so new that the audit, where a note counts as long as a mark, knows of it. */
export const isMadeLately = ({ madeAt }: StoredEntry): boolean => Date.now() - madeAt < KEEPS_MARKS_MS / 2

const batchesOf = <T>(all: readonly T[]): (readonly T[])[] =>
  Array.from({ length: Math.ceil(all.length / BATCH) }, (_, i) => all.slice(i * BATCH, (i + 1) * BATCH))

const readMark = (text: string): Removed => {
  const [until = '', name = ''] = text.split(' ')
  return { until: Number(until), name }
}

export const createTableStore = <E extends StoredEntry>(
  { data, keys }: Pick<RedisClients, 'data' | 'keys'>,
  { form, at, isName, most, plural, singular, command }: TableOptions<E>,
): TableStore<E> => {
  const drawVersion = (): string => randomBytes(9).toString('base64url')
  const unreadable = `no secret of this node opens this ${singular}: use the command ${command}`
  /** What was read last, by name: to unseal a thousand entries takes 50 ms. */
  let known: ReadonlyMap<string, Found<E>> = new Map()

  const put: TableStore<E>['put'] = async (changes, asking = '') => {
    const results: Put[] = []
    for (const batch of batchesOf(changes))
      results.push(
        ...(await putEntries(
          data,
          [at.table, keys.apiKeys(), at.channel],
          [
            ...([drawVersion(), most, MOST_FIELDS, asking] as const),
            ...batch.flatMap(({ entry, former }) => [entry.name, former, form.write(entry)]),
          ],
        )),
      )
    return results
  }

  const mark = async (all: ReadonlyMap<string, Removed>): Promise<readonly boolean[]> => {
    const results: boolean[] = []
    for (const batch of batchesOf([...all]))
      results.push(
        ...(await removeEntries(
          data,
          [at.table, at.uses, at.channel],
          [drawVersion(), ...batch.flatMap(([id, { name, until }]) => [name, id, until])],
        )),
      )
    return results
  }

  const find = async (name: string): Promise<Found<E> | undefined> => {
    // The version and the marks are fields beside the entries.
    if (!isName(name)) return undefined
    const record = await orUnavailable(data.hget(at.table, name))
    return record === null ? undefined : form.read(name, record)
  }

  return {
    find,
    version: async () => (await orUnavailable(data.hget(at.table, VERSION))) ?? undefined,

    read: async () => {
      const { [VERSION]: version, ...fields } = await orUnavailable(data.hgetall(at.table))
      const found = new Map<string, Found<E>>()
      const removed = new Map<string, Removed>()
      for (const [field, text] of Object.entries(fields))
        if (field.startsWith(MARK)) removed.set(field.slice(1), readMark(text))
        else {
          const before = known.get(field)
          found.set(field, before?.record === text ? before : form.read(field, text))
        }
      known = found
      return { version, entries: found, removed }
    },

    create: async (order, caller) => {
      const id = randomBytes(12).toString('base64url')
      const entry = { ...order, id, revision: 1, madeAt: Date.now() } as unknown as E
      const [result] = await put([{ entry, former: '' }], caller?.id)
      if (result === 'REVOKED') return fail('REVOKED')
      if (result === 'FULL')
        return {
          ...fail('INVALID'),
          detail: `there are ${most} ${plural}, or too many were removed within 30 days: no more can be made`,
        }
      return result === 'OK' ? ok(entry) : fail('NAME_TAKEN')
    },

    change: async (name, to, caller) => {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const found = await find(name)
        if (!found) return fail('NOT_FOUND')
        const { entry: before, record } = found
        if (!before && caller) return { ...fail('FORBIDDEN'), detail: unreadable }
        if (!before)
          throw new Error(`the ${singular} ${name} in Redis cannot be read: is SAOMA_SECRET that of the nodes?`)
        const may = caller?.mayChange(before) ?? ok(true)
        if (!may.ok) return may
        const changed = to(before)
        if (!changed.ok) return changed
        if (changed.value === before) return ok({ entry: before, before })
        const entry = { ...changed.value, revision: before.revision + 1 }
        const [result] = await put([{ entry, former: record }], caller?.id)
        if (result === 'REVOKED') return fail('REVOKED')
        if (result === 'OK') return ok({ entry, before })
      }
      throw new Error(`the ${singular} kept changing while it was changed`)
    },

    takeBack: async ({ entry, before }) => {
      const found = await find(entry.name)
      if (found?.entry?.id !== entry.id || found.entry.revision !== entry.revision) return false
      const [result] = await put([{ entry: { ...before, revision: entry.revision + 1 }, former: found.record }])
      return result === 'OK'
    },

    remove: async (name, caller) => {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const found = await find(name)
        const held = caller?.held(name)
        const id = found?.id ?? held?.id
        if (id === undefined) return ok(undefined)
        const entry = found?.entry ?? (held?.id === id ? held : undefined)
        // One that cannot be read can be removed by the command still.
        if (caller && !entry) return { ...fail('FORBIDDEN'), detail: unreadable }
        const may = caller && entry ? caller.mayChange(entry) : ok(true)
        if (!may.ok) return may
        const [wasThere] = await mark(new Map([[id, { name, until: Date.now() + KEEPS_MARKS_MS }]]))
        // What Redis has lost is not there: the mark keeps it out.
        if (wasThere || !found) return ok({ id })
      }
      throw new Error(`the ${singular} kept changing while it was removed`)
    },

    put,
    mark: async (all) => void (await mark(all)),
    isMarked: async (id) => (await orUnavailable(data.hexists(at.table, `${MARK}${id}`))) === 1,

    clear: async ({ entries, removed }) => {
      const now = Date.now()
      const over = [
        ...[...entries].flatMap(([name, { entry, record }]) => (entry && isOver(entry, now) ? [name, record] : [])),
        ...[...removed].flatMap(([id, { until, name }]) => (until <= now ? [`${MARK}${id}`, `${until} ${name}`] : [])),
      ]
      for (let i = 0; i < over.length; i += 2 * BATCH)
        await clearEntries(data, [at.table], over.slice(i, i + 2 * BATCH))
    },

    uses: async () =>
      new Map(
        Object.entries(await orUnavailable(data.hgetall(at.uses))).map(([id, text]) => {
          const [first = 0, last = 0] = text.split(' ').map(Number)
          return [id, { first, last }] as const
        }),
      ),

    noteUses: async (all) => {
      for (const batch of batchesOf([...all]))
        await noteUses(data, [at.uses], [KEEPS_USES_MS, MOST_USES, ...batch.flat()])
    },
  }
}
