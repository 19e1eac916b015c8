import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { orUnavailable, type RedisClients } from '@saoma/redis'
import type { CodeStore } from './code-store.ts'
import { CodeStoreError } from './code-store-error.ts'
import type { Pool } from './pool.ts'
import { poolKeys } from './pool-keys.ts'

/** The store of one pool. No code counts as without its picture in a store that is another. */
export interface PoolStore extends CodeStore {
  /**
   * Resolves when the store is that of the pool, which it becomes if the pool has none. Rejects with
   * CodeStoreError when it is another, or may be the folder below a disk that is not mounted.
   */
  recognise(): Promise<void>
  /** Makes it the store of the pool, whatever was before. The word of an operator is needed for that. */
  adopt(): Promise<void>
}

export interface PoolStoreDeps {
  redis: RedisClients
  pool: Pick<Pool, 'list'>
  store: CodeStore
}

/**
 * Codes whose pictures are looked for in a store that Redis does not know yet. One at least is there in the
 * right one.
 */
const LOOKED_FOR = 5
/**
 * Stands in Redis while somebody writes an id into the store, so that no second place gets one. If they die
 * it goes by itself.
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

  /** Whether the store has pictures of the pool, or there are none that it could have. */
  const mayBeOurs = async (): Promise<boolean> => {
    let looked = 0
    for await (const { image } of pool.list()) {
      if (await store.get(image.key)) return true
      if (++looked === LOOKED_FOR) break
    }
    return looked === 0
  }

  /** Writes an id into the store and into Redis, or waits until somebody else has. */
  const name = async (): Promise<void> => {
    for (let looks = 0; looks < MOST_LOOKS; looks++) {
      if (await orUnavailable(data.set(key, DRAFT, 'PX', DRAFT_MS, 'NX'))) {
        const id = (await store.id()) || randomUUID()
        await store.found(id)
        await remember(id)
        return
      }
      const named = await orUnavailable(data.get(key))
      // The draft of somebody who died may have ended just now: then nobody has named it.
      if (named !== null && named !== DRAFT) return
      await delay(LOOK_MS)
    }
  }

  /** What Redis and the store say. */
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
        // A node from before there were ids has written its mark over it.
        await store.found(known)
        id = known
      }
      if (known === undefined) throw refuse('another node is making its own place the store')
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
