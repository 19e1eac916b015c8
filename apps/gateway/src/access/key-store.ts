import { ok, type Result } from '@saoma/protocol'
import type { RedisClients } from '@saoma/redis'
import { isKeyName } from './api-keys.ts'
import { drawKey } from './new-key.ts'
import { withSecret } from './stored-entry.ts'
import { createKeyForm, type StoredKey } from './stored-key.ts'
import { type Caller, type Changed, createTableStore, type TableStore } from './table-store.ts'

/** What a new key is to be. */
export type KeyOrder = Pick<StoredKey, 'name' | 'channels' | 'may' | 'scopes' | 'madeBy' | 'expiresAt'>

/** A key that was made or rotated. `secret` is told once. */
export interface MadeKey {
  secret: string
  entry: StoredKey
}

/** A key that was rotated, and what it was before. */
export type RotatedKey = MadeKey & Changed<StoredKey>

/** The API keys in Redis. Every call rejects with RedisUnavailable when Redis is unavailable. */
export interface KeyStore extends Omit<TableStore<StoredKey>, 'create' | 'change'> {
  /** NAME_TAKEN if there is a key of this name; INVALID if there are too many; REVOKED if the caller is. */
  create(order: KeyOrder, caller?: Caller<StoredKey>): Promise<Result<MadeKey>>
  /**
   * A new secret. The one before stays good for `overlapMs`, and those before it until their own end. Without
   * `overlapMs` all of them end. NOT_FOUND if there is no such key; REVOKED if the caller is.
   */
  rotate(name: string, overlapMs: number, caller?: Caller<StoredKey>): Promise<Result<RotatedKey>>
}

/** Most keys in Redis. */
export const MOST_KEYS = 1_000

export const createKeyStore = (
  redis: Pick<RedisClients, 'data' | 'keys'>,
  secrets: readonly [string, ...string[]],
): KeyStore => {
  const { keys } = redis
  const table = createTableStore(redis, {
    form: createKeyForm(secrets),
    at: { table: keys.apiKeys(), uses: keys.apiKeyUses(), channel: keys.apiKeyChanges() },
    isName: isKeyName,
    most: MOST_KEYS,
    plural: 'keys',
    singular: 'API key',
    command: 'saoma key',
  })

  return {
    ...table,

    create: async (order, caller) => {
      const { secret, sha256 } = drawKey(order.name)
      const made = await table.create({ ...order, secrets: [{ sha256 }] }, caller)
      return made.ok ? ok({ secret, entry: made.value }) : made
    },

    rotate: async (name, overlapMs, caller) => {
      const { secret, sha256 } = drawKey(name)
      const changed = await table.change(name, (key) => ok(withSecret(key, sha256, overlapMs)), caller)
      return changed.ok ? ok({ secret, ...changed.value }) : changed
    },
  }
}
