import { createAudit } from '@saoma/audit'
import type { Result } from '@saoma/protocol'
import { RedisUnavailable } from '@saoma/redis'
import { createKeyStore, KEEPS_MARKS_MS, type KeyStore, type MadeKey } from '../access/key-store.ts'
import { type ListedKey, listed, listKeys } from '../access/listed-key.ts'
import type { Backend } from '../access/principal.ts'
import { channelActs } from '../access/scopes.ts'
import { readConfig } from '../config/config.ts'
import { forOperator, openCommandRedis } from './command-redis.ts'
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

const told = ({ secret, key }: MadeKey): ToldKey => ({ key: secret, ...listed(key) })

const orThrow = <T>(result: Result<T>, sentences: Partial<Record<string, string>>): T => {
  if (result.ok) return result.value
  throw new Error(sentences[result.code] ?? result.detail ?? result.code)
}

/** Works with the Redis of the settings. @param given  the settings of a node */
export const withStoredKeys = async <T>(
  given: Readonly<Record<string, string | undefined>>,
  work: (keys: StoredKeyCommands) => Promise<T>,
): Promise<T> => {
  const config = readConfig(given)
  const redis = await openCommandRedis('key', config, { replicas: config.replicas })
  const audit = createAudit(redis, { ...config.audit, node: 'command', secrets: config.secrets })
  const store: KeyStore = createKeyStore(redis, config.secrets)
  const note = (kind: 'key.made' | 'key.rotated', key: string): void => audit.note({ kind, key, by: 'operator' })

  /** Nodes put back what a failover loses, but perhaps none of them has heard of this change. */
  const writing = (): (() => Promise<void>) => redis.writing(redis.keys.apiKeys())

  const revoke = async (name: string): Promise<boolean> => {
    const acknowledged = writing()
    const revoked = orThrow(await store.revoke(name), {})
    // The command that revoked it may have ended before it could note it.
    const marks = [...(revoked ? [] : (await store.read()).revoked)]
    const id = revoked?.id ?? marks.findLast(([, mark]) => mark.name === name)?.[0]
    if (id !== undefined) {
      const once = { name: `key.revoked.${id}`, ms: KEEPS_MARKS_MS }
      audit.note({ kind: 'key.revoked', key: name, by: 'operator' }, { once })
    }
    await acknowledged()
    return revoked !== undefined
  }

  try {
    return await work({
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
        try {
          await acknowledged()
          await tell(told(made))
        } catch (error) {
          // A key that nobody knows must not stay good.
          await store.revoke(name)
          if (error instanceof RedisUnavailable) throw error
          throw new Error(`The key cannot be printed (${(error as NodeJS.ErrnoException).code}). So none was made.`)
        }
        note('key.made', name)
      },
      rotate: async (name, overlapMs, tell) => {
        const acknowledged = writing()
        const made = orThrow(await store.rotate(name, overlapMs), {
          NOT_FOUND: `Redis has no key ${name}. Only keys in Redis can be rotated: in a file make a line with another name.`,
        })
        try {
          await acknowledged()
          await tell(told(made))
        } catch (error) {
          // A secret that nobody knows must not end the one in use.
          const isBack = await store.takeBack(made)
          if (!isBack) note('key.rotated', name)
          if (error instanceof RedisUnavailable) throw error
          const { code } = error as NodeJS.ErrnoException
          throw new Error(
            isBack
              ? `The new key cannot be printed (${code}). So the former one stays.`
              : `The new key cannot be printed (${code}), and somebody has changed the key meanwhile: see saoma key list.`,
          )
        }
        note('key.rotated', name)
      },
      revoke,
      list: (file) => listKeys(store, file),
    })
  } catch (error) {
    throw forOperator(error, config.redisUrl, 'Part of it may be done: saoma key list shows it.')
  } finally {
    await audit.close()
    await redis.close()
  }
}
