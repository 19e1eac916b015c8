import { createQuickSeal } from '@saoma/redis'
import * as v from 'valibot'

/** One secret of an entry, as its SHA-256 in hex. */
export interface EntrySecret {
  sha256: string
  /** When it stops, in milliseconds since 1970, if another one has replaced it. */
  until?: number | undefined
}

/**
 * An entry of a table that is kept in Redis and held by every node: an API key, or an application. It has no
 * secret itself. Times are in milliseconds since 1970.
 */
export interface StoredEntry {
  /** Tells it from another entry of the same name, before it or after it. */
  id: string
  /** Grows with each change. */
  revision: number
  name: string
  /** The newest first; more than one while rotations overlap. */
  secrets: readonly EntrySecret[]
  madeAt: number
  /** The name of the API key that made it; empty for the command. */
  madeBy: string
  rotatedAt?: number | undefined
  expiresAt?: number | undefined
}

const time = v.pipe(v.number(), v.safeInteger())
/** The members that every entry has, for the schema of a table. */
export const storedMembers = {
  id: v.string(),
  revision: v.number(),
  secrets: v.array(v.object({ sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)), until: v.optional(time) })),
  madeAt: time,
  madeBy: v.string(),
  rotatedAt: v.optional(time),
  expiresAt: v.optional(time),
}

/** An entry as Redis has it. */
export interface Found<E extends StoredEntry> {
  /** The text in Redis. It is compared when the entry is changed. */
  record: string
  id: string
  /** Undefined if none of the secrets opens it, or it is of a later version. */
  entry: E | undefined
  /** Whether it has to be written again, because a previous secret sealed it. */
  isOld: boolean
}

/** Writes and reads entries as Redis has them. */
export interface EntryForm<E extends StoredEntry> {
  write(entry: E): string
  read(name: string, record: string): Found<E>
}

/** Most secrets that are good besides the newest. With more the oldest one ends. */
const MOST_FORMER = 3

/** A secret that is still good at that time. */
export const isGood = ({ until }: EntrySecret, now: number): boolean => until === undefined || until > now

/**
 * An entry with a new secret. The one before stays good for `overlapMs`, and those before it until their own
 * end: a rotation whose answer was lost is repeated, and the secret that is in use must outlive both. Without
 * `overlapMs` all of them end.
 */
export const withSecret = <E extends StoredEntry>(entry: E, sha256: string, overlapMs: number): E => {
  const now = Date.now()
  const [present, ...older] = entry.secrets
  const former: EntrySecret[] =
    overlapMs > 0 && present
      ? [{ ...present, until: now + overlapMs }, ...older.filter((secret) => isGood(secret, now))]
      : []
  return { ...entry, secrets: [{ sha256 }, ...former.slice(0, MOST_FORMER)], rotatedAt: now }
}

/**
 * Entries are sealed with the secret of the cluster, so that whoever writes to Redis can make none. Only the
 * id is open: scripts need it.
 *
 * @param purpose  of the seal. Each table has its own, so that no record is good in another one
 */
export const createEntryForm = <E extends StoredEntry>(
  secrets: readonly [string, ...string[]],
  purpose: string,
  schema: v.GenericSchema<unknown, E>,
): EntryForm<E> => {
  const storedOf = v.safeParser(v.pipe(v.string(), v.parseJson(), schema))
  const all = createQuickSeal({ secrets, purpose })
  const present = createQuickSeal({ secrets: [secrets[0]], purpose })
  return {
    write: (entry) => `${entry.id} ${present.close(JSON.stringify(entry))}`,
    read: (name, record) => {
      const at = record.indexOf(' ')
      const [id, sealed] = [record.slice(0, at), record.slice(at + 1)]
      const now = present.open(sealed)
      const read = storedOf(now ?? all.open(sealed))
      // A record of another name or id was moved here by somebody who cannot seal one.
      const entry = read.success && read.output.name === name && read.output.id === id ? read.output : undefined
      return { record, id, entry, isOld: entry !== undefined && now === undefined }
    },
  }
}
