import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { orUnavailable, type RedisClients } from '@saoma/redis'
import type { CodeStore } from './code-store.ts'
import { CodeStoreError } from './code-store-error.ts'
import type { Pool } from './pool.ts'
import { poolKeys } from './pool-keys.ts'

/** The store of one pool. It checks its identity before it reports a picture as missing. */
export interface PoolStore extends CodeStore {
  /**
   * Resolves when the store belongs to the pool. If the pool has no store, this one becomes its store.
   * Rejects with CodeStoreError when it is another pool's, or may be the mount point of a disk that is not
   * mounted.
   */
  recognise(): Promise<void>
  /** Makes it the pool's store, whatever was stored before. Only an operator may decide that. */
  adopt(): Promise<void>
}

export interface PoolStoreDeps {
  redis: RedisClients
  pool: Pick<Pool, 'list'>
  store: CodeStore
}

/**
 * How many codes' pictures are looked up in a store that Redis does not know yet. The right store has at
 * least one of them.
 */
const LOOKED_FOR = 5
/**
 * The value in Redis while a node writes an id into the store, so that no second store gets one. If the node
 * dies, the value expires.
 */
const DRAFT = 'draft'
const DRAFT_MS = 15_000
const LOOK_MS = 100
const MOST_LOOKS = (DRAFT_MS + 5_000) / LOOK_MS

export const createPoolStore = ({ redis, pool, store }: PoolStoreDeps, appid: string): PoolStore => {
  const { data, keys } = redis
  const { ttlMs } = poolKeys(keys, appid)
  const key = keys.poolStore(appid)
  const remember = (id: string) => orUnavailable(data.set(key, id, 'PX', ttlMs))
  const refuse = (why: string) =>
    new CodeStoreError(
      `${store.place}: ${why}. Is SAOMA_POOL_STORE the same for all nodes, and is the disk mounted? \`adopt\` makes it the store of the pool`,
      { isSetting: false },
    )

  /** Whether the store has pictures of the pool, or the pool has no codes. */
  const mayBeOurs = async (): Promise<boolean> => {
    let looked = 0
    for await (const { image } of pool.list()) {
      if (await store.get(image.key)) return true
      if (++looked === LOOKED_FOR) break
    }
    return looked === 0
  }

  /** Writes an id into the store and into Redis, or waits until another node has done so. */
  const name = async (): Promise<void> => {
    for (let looks = 0; looks < MOST_LOOKS; looks++) {
      if (await orUnavailable(data.set(key, DRAFT, 'PX', DRAFT_MS, 'NX'))) {
        const id = (await store.id()) || randomUUID()
        await store.found(id)
        await remember(id)
        return
      }
      const named = await orUnavailable(data.get(key))
      // If the other node has died, its draft has just expired. Then try again.
      if (named !== null && named !== DRAFT) return
      await delay(LOOK_MS)
    }
  }

  /** The ids in Redis and in the store. */
  const read = async () => {
    const [known, id] = await Promise.all([orUnavailable(data.get(key)), store.id()])
    return { known: known && known !== DRAFT ? known : undefined, id }
  }
  const isSame = async (): Promise<boolean> => {
    const { known, id } = await read()
    return known !== undefined && known === id
  }

  return {
    ...store,
    adopt: async () => {
      const id = (await store.id()) || randomUUID()
      await store.found(id)
      await remember(id)
    },
    recognise: async () => {
      let { known, id } = await read()
      if (known === undefined) {
        if (!(await mayBeOurs())) throw refuse('the pictures of the pool are not here')
        await name()
        ;({ known, id } = await read())
      } else if (id === '' && (await mayBeOurs())) {
        // An older node without ids has overwritten the mark.
        await store.found(known)
        id = known
      }
      if (known === undefined) throw refuse('another node is making its own store the store of the pool')
      if (id !== known)
        throw refuse(
          id ? 'this is the store of another pool' : 'this is not the store of the pool: no picture was ever put here',
        )
      await orUnavailable(data.pexpire(key, ttlMs))
    },
    get: async (picture) => {
      const bytes = await store.get(picture)
      if (bytes || (await isSame())) return bytes
      throw refuse('this is not the store of the pool')
    },
  }
}
