import { isOver, KEEPS_MARKS_MS, type KeyContents, type Revoked } from './key-store.ts'
import type { StoredKey } from './stored-key.ts'

/** What a node knows of the keys in Redis. */
export interface KnownKeys {
  /** By name. */
  keys: ReadonlyMap<string, StoredKey>
  /** Keys that were revoked, by id. */
  revoked: ReadonlyMap<string, Revoked>
}

export interface MergedKeys extends KnownKeys {
  /** What Redis has lost, to be put back. */
  lost: readonly { key: StoredKey; former: string }[]
  /** What a previous secret sealed, to be sealed anew. */
  old: readonly { key: StoredKey; former: string }[]
  /** Keys that Redis does not know to be revoked. */
  unmarked: ReadonlyMap<string, Revoked>
  /** Names of keys that no secret of this node opens. */
  unreadable: readonly string[]
}

/** A mark that ends sooner is not put back: another node may have removed it. */
const WORTH_MS = 3_600_000

/**
 * Merges what a node knows with what Redis has. A key that Redis lacks without a mark was lost: by a
 * failover, or with all of its data. A revoked key never comes back, and of two states of a key the later one
 * stays.
 *
 * @param isCurrent  false if the node has not read for so long that marks may be gone meanwhile
 */
export const mergeKeys = (known: KnownKeys, stored: KeyContents, now: number, isCurrent: boolean): MergedKeys => {
  const revoked = new Map([...known.revoked, ...stored.revoked].filter(([, { until }]) => until > now))
  const unmarked = new Map([...revoked].filter(([id, { until }]) => !stored.revoked.has(id) && until > now + WORTH_MS))
  const keys = new Map<string, StoredKey>()
  const lost: { key: StoredKey; former: string }[] = []
  const old: { key: StoredKey; former: string }[] = []
  const unreadable: string[] = []

  for (const [name, { id, key, record, isOld }] of stored.keys) {
    const before = known.keys.get(name)
    if (before && before.id !== id && !revoked.has(before.id)) {
      // Redis had lost it, and another key got its name meanwhile.
      const mark = { name, until: now + KEEPS_MARKS_MS }
      revoked.set(before.id, mark)
      unmarked.set(before.id, mark)
    }
    if (revoked.has(id)) continue
    if (before?.id === id && (!key || before.revision > key.revision)) {
      keys.set(name, before)
      if (key) lost.push({ key: before, former: record })
    } else if (!key) unreadable.push(name)
    else if (!isOver(key, now)) {
      keys.set(name, key)
      if (isOld) old.push({ key, former: record })
    }
  }
  for (const [name, key] of known.keys)
    if (isCurrent && !stored.keys.has(name) && !revoked.has(key.id) && !isOver(key, now)) {
      keys.set(name, key)
      lost.push({ key, former: '' })
    }
  return { keys, revoked, lost, old, unmarked, unreadable }
}
