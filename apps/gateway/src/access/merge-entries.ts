import type { StoredEntry } from './stored-entry.ts'
import { type Change, type Contents, isOver, KEEPS_MARKS_MS, type Removed } from './table-store.ts'

/** What a node knows of a table in Redis. */
export interface Known<E extends StoredEntry> {
  /** By name. */
  entries: ReadonlyMap<string, E>
  /** Entries that were removed, by id. */
  removed: ReadonlyMap<string, Removed>
}

export interface Merged<E extends StoredEntry> extends Known<E> {
  /** What Redis has lost, to be put back. */
  lost: readonly Change<E>[]
  /** What a previous secret sealed, to be sealed anew. */
  old: readonly Change<E>[]
  /** Entries that Redis does not know to be removed. */
  unmarked: ReadonlyMap<string, Removed>
  /** Names of entries that no secret of this node opens. */
  unreadable: readonly string[]
}

/** A mark that ends sooner is not put back: another node may have removed it. */
const WORTH_MS = 3_600_000

/**
 * Merges what a node knows with what Redis has. An entry that Redis lacks without a mark was lost: by a
 * failover, or with all of its data. A removed entry never comes back, and of two states of an entry the
 * later one stays.
 *
 * @param isCurrent  false if the node has not read for so long that marks may be gone meanwhile
 */
export const mergeEntries = <E extends StoredEntry>(
  known: Known<E>,
  stored: Contents<E>,
  now: number,
  isCurrent: boolean,
): Merged<E> => {
  const removed = new Map([...known.removed, ...stored.removed].filter(([, { until }]) => until > now))
  const unmarked = new Map([...removed].filter(([id, { until }]) => !stored.removed.has(id) && until > now + WORTH_MS))
  const entries = new Map<string, E>()
  const lost: Change<E>[] = []
  const old: Change<E>[] = []
  const unreadable: string[] = []

  for (const [name, { id, entry, record, isOld }] of stored.entries) {
    const before = known.entries.get(name)
    if (before && before.id !== id && !removed.has(before.id)) {
      // Redis had lost it, and another entry got its name meanwhile.
      const mark = { name, until: now + KEEPS_MARKS_MS }
      removed.set(before.id, mark)
      unmarked.set(before.id, mark)
    }
    if (removed.has(id)) continue
    if (before?.id === id && (!entry || before.revision > entry.revision)) {
      entries.set(name, before)
      if (entry) lost.push({ entry: before, former: record })
    } else if (!entry) unreadable.push(name)
    else if (!isOver(entry, now)) {
      entries.set(name, entry)
      if (isOld) old.push({ entry, former: record })
    }
  }
  for (const [name, entry] of known.entries)
    if (isCurrent && !stored.entries.has(name) && !removed.has(entry.id) && !isOver(entry, now)) {
      entries.set(name, entry)
      lost.push({ entry, former: '' })
    }
  return { entries, removed, lost, old, unmarked, unreadable }
}
