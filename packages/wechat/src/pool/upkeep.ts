import type { RedisClients } from '@saoma/redis'
import type { CodeStore } from './code-store.ts'
import type { Pool } from './pool.ts'
import { poolKeys } from './pool-keys.ts'
import { scripts } from './scripts.ts'

export interface UpkeepDeps {
  redis: RedisClients
  pool: Pick<Pool, 'leases'>
  store: Pick<CodeStore, 'remove'>
}

/** Maintenance of a pool, apart from new codes. Calls reject when Redis or the store is unavailable. */
export interface Upkeep {
  /**
   * Removes codes that have used up their leases, and rested codes above `max` codes in all, together with
   * their pictures. Resolves with their number.
   */
  cull(max: number): Promise<number>
  /**
   * Renews the 30-day TTL of every key of the pool, and removes rested codes without leases left from the
   * reserve.
   */
  renew(): Promise<void>
}

const CULLED_AT_ONCE = 200
const RENEWED_AT_ONCE = 500

export const createUpkeep = ({ redis, pool, store }: UpkeepDeps, appid: string): Upkeep => {
  const { data } = redis
  const { ttlMs, codes, leasesPrefix, places, run } = poolKeys(redis.keys, appid)
  return {
    cull: async (max) => {
      const images = await scripts.cull(data, [codes, leasesPrefix, ...places], [max, CULLED_AT_ONCE])
      // The code first: a picture without a code is found by `auditPool`, but a code without its picture by a
      // visitor.
      if (images.length > 0) await store.remove(images)
      return images.length
    },
    renew: async () => {
      const scenes = await scripts.scenes(data, places, [])
      for (let i = 0; i < scenes.length; i += RENEWED_AT_ONCE)
        await scripts.renew(
          data,
          [codes, ...places, run],
          [ttlMs, pool.leases, ...scenes.slice(i, i + RENEWED_AT_ONCE)],
        )
    },
  }
}
