import { createKeyStore, type MadeKey } from '../access/key-store.ts'
import { type ListedKey, listed, listKeys } from '../access/listed-key.ts'
import type { Backend } from '../access/principal.ts'
import { channelActs } from '../access/scopes.ts'
import { KEEPS_MARKS_MS } from '../access/table-store.ts'
import { orThrow, removeEntry, tellOnce, withCommandStore } from './command-store.ts'
import type { KeyOptions } from './read-key-command.ts'

/** The keys in Redis, as the command works with them. Every failure is an error for the user. */
export interface StoredKeyCommands {
  /** `told` is called with the key. If it rejects, the key is revoked again. */
  create(name: string, patterns: string, options: KeyOptions, told: (made: ToldKey) => Promise<void>): Promise<void>
  /** The same. If it rejects, the key gets its former secrets back. */
  rotate(name: string, overlapMs: number, told: (made: ToldKey) => Promise<void>): Promise<void>
  /** Resolves with whether there was one. */
  revoke(name: string): Promise<boolean>
  /** With the keys of the file. */
  list(file: readonly Backend[]): Promise<readonly ListedKey[]>
}

/** A key that was just made: `key` is told once. */
export type ToldKey = { key: string } & ListedKey

const told = ({ secret, entry }: MadeKey): ToldKey => ({ key: secret, ...listed(entry) })

/** Works with the Redis of the settings. @param given  the settings of a node */
export const withStoredKeys = <T>(
  given: Readonly<Record<string, string | undefined>>,
  work: (keys: StoredKeyCommands) => Promise<T>,
): Promise<T> =>
  withCommandStore('key', given, ({ redis, audit, config }) => {
    const store = createKeyStore(redis, config.secrets)
    const note = (kind: 'key.made' | 'key.rotated', key: string): void => audit.note({ kind, key, by: 'operator' })

    /** Nodes put back what a failover loses, but perhaps none of them has heard of this change. */
    const writing = (): (() => Promise<void>) => redis.writing(redis.keys.apiKeys())

    return work({
      create: async (name, patterns, { may = channelActs, scopes = [], expiresMs }, tell) => {
        const acknowledged = writing()
        const made = orThrow(
          await store.create({
            ...{ name, may, scopes, madeBy: '' },
            channels: patterns === '' ? [] : patterns.split(','),
            ...(expiresMs === undefined ? {} : { expiresAt: Date.now() + expiresMs }),
          }),
          { NAME_TAKEN: `Redis has a key ${name} already. Take another name, or revoke that one first.` },
        )
        await tellOnce(
          acknowledged,
          () => tell(told(made)),
          async (code) => {
            // A key that nobody knows must not stay good.
            await store.remove(name)
            return `The key cannot be printed (${code}). So none was made.`
          },
        )
        note('key.made', name)
      },
      rotate: async (name, overlapMs, tell) => {
        const acknowledged = writing()
        const made = orThrow(await store.rotate(name, overlapMs), {
          NOT_FOUND: `Redis has no key ${name}. Only keys in Redis can be rotated: in a file make a line with another name.`,
        })
        await tellOnce(
          acknowledged,
          () => tell(told(made)),
          async (code) => {
            // A secret that nobody knows must not end the one in use.
            if (await store.takeBack(made)) return `The new key cannot be printed (${code}). So the former one stays.`
            note('key.rotated', name)
            return `The new key cannot be printed (${code}), and somebody has changed the key meanwhile: see saoma key list.`
          },
        )
        note('key.rotated', name)
      },
      revoke: async (name) => {
        const acknowledged = writing()
        const wasThere = await removeEntry(store, name, (id) => {
          const once = { name: `key.revoked.${id}`, ms: KEEPS_MARKS_MS }
          audit.note({ kind: 'key.revoked', key: name, by: 'operator' }, { once })
        })
        await acknowledged()
        return wasThere
      },
      list: (file) => listKeys(store, file),
    })
  })
