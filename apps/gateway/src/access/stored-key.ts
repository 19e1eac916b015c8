import { createQuickSeal } from '@saoma/redis'
import * as v from 'valibot'
import { arePatterns, isKeyName } from './api-keys.ts'
import { type ChannelAct, channelActs, isScope, type Scope } from './scopes.ts'

/** One secret of a key, as its SHA-256 in hex. */
export interface KeySecret {
  sha256: string
  /** When it stops, in milliseconds since 1970, if another one has replaced it. */
  until?: number | undefined
}

/** An API key as it is kept in Redis: never the key itself. Times are in milliseconds since 1970. */
export interface StoredKey {
  /** Tells it from another key of the same name, before it or after it. */
  id: string
  /** Grows with each change. */
  revision: number
  name: string
  channels: readonly string[]
  may: readonly ChannelAct[]
  scopes: readonly Scope[]
  /** The newest first; more than one while rotations overlap. */
  secrets: readonly KeySecret[]
  madeAt: number
  /** The name of the key that made it; empty for the command. */
  madeBy: string
  rotatedAt?: number | undefined
  expiresAt?: number | undefined
}

/** A key as Redis has it. */
export interface Found {
  /** The text in Redis. It is compared when the key is changed. */
  record: string
  id: string
  /** Undefined if none of the secrets opens it, or it is of a later version. */
  key: StoredKey | undefined
  /** Whether it has to be written again, because a previous secret sealed it. */
  isOld: boolean
}

const time = v.pipe(v.number(), v.safeInteger())
/** Acts and scopes of a later version are left out: nobody here asks for them. */
const known = <T extends string>(is: (word: string) => word is T) =>
  v.pipe(
    v.array(v.string()),
    v.transform((words) => words.filter(is)),
  )
const isAct = (word: string): word is ChannelAct => (channelActs as readonly string[]).includes(word)

const Stored = v.object({
  id: v.string(),
  revision: v.number(),
  name: v.pipe(v.string(), v.check(isKeyName)),
  channels: v.array(v.pipe(v.string(), v.check(arePatterns))),
  may: known(isAct),
  scopes: known(isScope),
  secrets: v.array(v.object({ sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)), until: v.optional(time) })),
  madeAt: time,
  madeBy: v.string(),
  rotatedAt: v.optional(time),
  expiresAt: v.optional(time),
}) satisfies v.GenericSchema<unknown, StoredKey>
const storedOf = v.safeParser(v.pipe(v.string(), v.parseJson(), Stored))

/** Writes and reads keys as Redis has them. */
export interface KeyForm {
  write(key: StoredKey): string
  read(name: string, record: string): Found
}

/**
 * Keys are sealed with the secret of the cluster, so that whoever writes to Redis can make none. Only the id
 * is open: scripts need it.
 */
export const createKeyForm = (secrets: readonly [string, ...string[]]): KeyForm => {
  const purpose = 'saoma api keys'
  const all = createQuickSeal({ secrets, purpose })
  const present = createQuickSeal({ secrets: [secrets[0]], purpose })
  return {
    write: (key) => `${key.id} ${present.close(JSON.stringify(key))}`,
    read: (name, record) => {
      const at = record.indexOf(' ')
      const [id, sealed] = [record.slice(0, at), record.slice(at + 1)]
      const now = present.open(sealed)
      const read = storedOf(now ?? all.open(sealed))
      // A record of another name or id was moved here by somebody who cannot seal one.
      const key = read.success && read.output.name === name && read.output.id === id ? read.output : undefined
      return { record, id, key, isOld: key !== undefined && now === undefined }
    },
  }
}
