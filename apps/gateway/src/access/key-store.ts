import { randomBytes } from 'node:crypto'
import { fail, ok, type Result } from '@saoma/protocol'
import { orUnavailable, type RedisClients } from '@saoma/redis'
import { isKeyName } from './api-keys.ts'
import { clearKeys, noteUses, type Put, putKeys, revokeKeys } from './key-scripts.ts'
import { drawKey } from './new-key.ts'
import { createKeyForm, type Found, type KeySecret, type StoredKey } from './stored-key.ts'

/** A key that was revoked. Its mark stays for a while, so that no node puts the key back. */
export interface Revoked {
  name: string
  /** When the mark may go, in milliseconds since 1970. */
  until: number
}

/** All that Redis has of the keys. */
export interface KeyContents {
  /** Changes with each change of a key; undefined if there never was one. */
  version: string | undefined
  keys: ReadonlyMap<string, Found>
  /** By the id of the key. */
  revoked: ReadonlyMap<string, Revoked>
}

/** When a key was used, in milliseconds since 1970, to about a minute. */
export interface KeyUse {
  first: number
  last: number
}

/** What a new key is to be. */
export type KeyOrder = Pick<StoredKey, 'name' | 'channels' | 'may' | 'scopes' | 'madeBy' | 'expiresAt'>

/** A key that was made or rotated. `secret` is told once. */
export interface MadeKey {
  secret: string
  key: StoredKey
}

/** A key that was rotated, and what it was before. */
export interface RotatedKey extends MadeKey {
  before: StoredKey
}

/** The key that asks for a change. The command is none. */
export interface KeyCaller {
  /** Nothing is written if this key is revoked. */
  id: string | undefined
  /** Whether it may change a key; the failure is the answer. */
  mayChange(key: StoredKey): Result<true>
  /** What its node holds under this name: Redis may have lost it. */
  held(name: string): StoredKey | undefined
}

/** The API keys in Redis. Every call rejects with RedisUnavailable when Redis is unavailable. */
export interface KeyStore {
  version(): Promise<string | undefined>
  read(): Promise<KeyContents>
  /** NAME_TAKEN if there is a key of this name; INVALID if there are too many; REVOKED if the caller is. */
  create(order: KeyOrder, caller?: KeyCaller): Promise<Result<MadeKey>>
  /**
   * A new secret. The one before stays good for `overlapMs`, and those before it until their own end. Without
   * `overlapMs` all of them end. NOT_FOUND if there is no such key; REVOKED if the caller is.
   */
  rotate(name: string, overlapMs: number, caller?: KeyCaller): Promise<Result<RotatedKey>>
  /** Gives a key the secrets that it had before. Resolves with false if somebody has changed it meanwhile. */
  takeBack(rotated: RotatedKey): Promise<boolean>
  /**
   * Resolves with the key, or with undefined if there is none. Works in a full Redis, and also for a key that
   * Redis has lost and the caller's node holds.
   */
  revoke(name: string, caller?: KeyCaller): Promise<Result<{ id: string } | undefined>>
  /** Stores keys as they are, each if Redis still has `former`. @param asking  id of the key that wants it */
  put(changes: readonly { key: StoredKey; former: string }[], asking?: string): Promise<readonly Put[]>
  /** Leaves marks of keys that were revoked, and takes those away that are there. */
  mark(revoked: ReadonlyMap<string, Revoked>): Promise<void>
  /** Removes what is over by now. */
  clear(contents: KeyContents): Promise<void>
  uses(): Promise<ReadonlyMap<string, KeyUse>>
  /** Notes uses: time in milliseconds since 1970, by the id of the key. */
  noteUses(uses: ReadonlyMap<string, number>): Promise<void>
}

const DAY_MS = 86_400_000
/** Most keys in Redis. Every node holds them all. */
export const MOST_KEYS = 1_000
/** With the marks of revoked keys. A mark is never pushed out: then a node might put its key back. */
const MOST_FIELDS = 5_000
/** How long the mark of a revoked key stays. */
export const KEEPS_MARKS_MS = 30 * DAY_MS
/** How long an expired key is still listed. */
const KEEPS_EXPIRED_MS = 7 * DAY_MS
/** How long the uses are kept when no key is used any more. */
const KEEPS_USES_MS = 400 * DAY_MS
/** More than keys in Redis and in a file together. */
const MOST_USES = 4_000
/** Most secrets that are good besides the newest. With more the oldest one ends. */
const MOST_FORMER = 3
/** Changes of others that a change survives. */
const ATTEMPTS = 10
/** Changes in one call: each blocks Redis. */
const BATCH = 100

const VERSION = '.'
const MARK = '!'

/** Whether a key is no longer listed. */
export const isOver = ({ expiresAt }: StoredKey, now: number): boolean =>
  expiresAt !== undefined && expiresAt + KEEPS_EXPIRED_MS <= now

/** Whether a key was made so lately that the audit, where one note counts as long as a mark, knows of it. */
export const isMadeLately = ({ madeAt }: StoredKey): boolean => Date.now() - madeAt < KEEPS_MARKS_MS / 2

/** A secret that is still good at that time. */
export const isGood = ({ until }: KeySecret, now: number): boolean => until === undefined || until > now

const batchesOf = <T>(all: readonly T[]): (readonly T[])[] =>
  Array.from({ length: Math.ceil(all.length / BATCH) }, (_, i) => all.slice(i * BATCH, (i + 1) * BATCH))

const UNREADABLE = 'no secret of this node opens this key: use the command saoma key'

const readMark = (text: string): Revoked => {
  const [until = '', name = ''] = text.split(' ')
  return { until: Number(until), name }
}

export const createKeyStore = (
  { data, keys }: Pick<RedisClients, 'data' | 'keys'>,
  secrets: readonly [string, ...string[]],
): KeyStore => {
  const form = createKeyForm(secrets)
  const [at, uses, channel] = [keys.apiKeys(), keys.apiKeyUses(), keys.apiKeyChanges()]
  const drawVersion = (): string => randomBytes(9).toString('base64url')
  /** What was read last, by name: to unseal a thousand keys takes 50 ms. */
  let known: ReadonlyMap<string, Found> = new Map()

  const put: KeyStore['put'] = async (changes, asking = '') => {
    const results: Put[] = []
    for (const batch of batchesOf(changes))
      results.push(
        ...(await putKeys(
          data,
          [at, channel],
          [
            drawVersion(),
            MOST_KEYS,
            MOST_FIELDS,
            asking,
            ...batch.flatMap(({ key, former }) => [key.name, former, form.write(key)]),
          ],
        )),
      )
    return results
  }

  const mark = async (all: ReadonlyMap<string, Revoked>): Promise<readonly boolean[]> => {
    const results: boolean[] = []
    for (const batch of batchesOf([...all]))
      results.push(
        ...(await revokeKeys(
          data,
          [at, uses, channel],
          [drawVersion(), ...batch.flatMap(([id, { name, until }]) => [name, id, until])],
        )),
      )
    return results
  }

  const find = async (name: string): Promise<Found | undefined> => {
    // The version and the marks are fields beside the keys.
    if (!isKeyName(name)) return undefined
    const record = await orUnavailable(data.hget(at, name))
    return record === null ? undefined : form.read(name, record)
  }

  return {
    version: async () => (await orUnavailable(data.hget(at, VERSION))) ?? undefined,

    read: async () => {
      const { [VERSION]: version, ...fields } = await orUnavailable(data.hgetall(at))
      const found = new Map<string, Found>()
      const revoked = new Map<string, Revoked>()
      for (const [field, text] of Object.entries(fields))
        if (field.startsWith(MARK)) revoked.set(field.slice(1), readMark(text))
        else {
          const before = known.get(field)
          found.set(field, before?.record === text ? before : form.read(field, text))
        }
      known = found
      return { version, keys: found, revoked }
    },

    create: async (order, caller) => {
      const { secret, sha256 } = drawKey(order.name)
      const key: StoredKey = {
        id: randomBytes(12).toString('base64url'),
        revision: 1,
        ...order,
        secrets: [{ sha256 }],
        madeAt: Date.now(),
      }
      const [result] = await put([{ key, former: '' }], caller?.id)
      if (result === 'REVOKED') return fail('REVOKED')
      if (result === 'FULL')
        return {
          ...fail('INVALID'),
          detail: `there are ${MOST_KEYS} keys, or too many were revoked within 30 days: no more can be made`,
        }
      return result === 'OK' ? ok({ secret, key }) : fail('NAME_TAKEN')
    },

    rotate: async (name, overlapMs, caller) => {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const before = await find(name)
        if (!before) return fail('NOT_FOUND')
        if (!before.key && caller) return { ...fail('FORBIDDEN'), detail: UNREADABLE }
        if (!before.key)
          throw new Error(`the API key ${name} in Redis cannot be read: is SAOMA_SECRET that of the nodes?`)
        const may = caller?.mayChange(before.key) ?? ok(true)
        if (!may.ok) return may
        const { secret, sha256 } = drawKey(name)
        const now = Date.now()
        const [present, ...older] = before.key.secrets
        // A rotation whose answer was lost is repeated: the secret that is in use must outlive both.
        const former =
          overlapMs > 0 && present
            ? [{ ...present, until: now + overlapMs }, ...older.filter((secret) => isGood(secret, now))]
            : []
        const key: StoredKey = {
          ...before.key,
          revision: before.key.revision + 1,
          secrets: [{ sha256 }, ...former.slice(0, MOST_FORMER)],
          rotatedAt: now,
        }
        const [result] = await put([{ key, former: before.record }], caller?.id)
        if (result === 'REVOKED') return fail('REVOKED')
        if (result === 'OK') return ok({ secret, key, before: before.key })
      }
      throw new Error('the API key kept changing while it was rotated')
    },

    takeBack: async ({ key, before }) => {
      const found = await find(key.name)
      if (found?.key?.id !== key.id || found.key.revision !== key.revision) return false
      const [result] = await put([{ key: { ...before, revision: key.revision + 1 }, former: found.record }])
      return result === 'OK'
    },

    revoke: async (name, caller) => {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const found = await find(name)
        const held = caller?.held(name)
        const id = found?.id ?? held?.id
        if (id === undefined) return ok(undefined)
        const key = found?.key ?? (held?.id === id ? held : undefined)
        // One that cannot be read can be revoked by the command still.
        if (caller && !key) return { ...fail('FORBIDDEN'), detail: UNREADABLE }
        const may = caller && key ? caller.mayChange(key) : ok(true)
        if (!may.ok) return may
        const [wasThere] = await mark(new Map([[id, { name, until: Date.now() + KEEPS_MARKS_MS }]]))
        // What Redis has lost is not there: the mark keeps it out.
        if (wasThere || !found) return ok({ id })
      }
      throw new Error('the API key kept changing while it was revoked')
    },

    put,
    mark: async (all) => void (await mark(all)),

    clear: async ({ keys: found, revoked }) => {
      const now = Date.now()
      const over = [
        ...[...found].flatMap(([name, { key, record }]) => (key && isOver(key, now) ? [name, record] : [])),
        ...[...revoked].flatMap(([id, { until, name }]) => (until <= now ? [`${MARK}${id}`, `${until} ${name}`] : [])),
      ]
      for (let i = 0; i < over.length; i += 2 * BATCH) await clearKeys(data, [at], over.slice(i, i + 2 * BATCH))
    },

    uses: async () =>
      new Map(
        Object.entries(await orUnavailable(data.hgetall(uses))).map(([id, text]) => {
          const [first = 0, last = 0] = text.split(' ').map(Number)
          return [id, { first, last }] as const
        }),
      ),

    noteUses: async (all) => {
      for (const batch of batchesOf([...all])) await noteUses(data, [uses], [KEEPS_USES_MS, MOST_USES, ...batch.flat()])
    },
  }
}
