import { createHash } from 'node:crypto'
import type { CodeStore, Lease, Pool } from '@saoma/wechat'
import type { Image, Place, Shown, Wish } from '../http/picture.ts'
import type { Logger } from '../log.ts'
import type { Metrics } from '../metrics.ts'

export interface PooledPictureDeps {
  pool: Pool
  store: CodeStore
  /** Told when a picture was asked for and none could be leased. */
  onEmpty: () => void
  metrics: Metrics
  log: Logger
}

/** A picture from the pool; undefined when there is none to be had. */
export type PooledPicture = (ticket: string, wish: Wish) => Promise<Shown | undefined>

/** Broken pictures that one request takes out before it gives up: more is an operator's matter. */
const MOST_BROKEN = 3

/** @param leaseMs  how long a code leads to its ticket, in milliseconds */
export const createPooledPicture = (
  { pool, store, onEmpty, metrics, log }: PooledPictureDeps,
  leaseMs: number,
): PooledPicture => {
  /** Undefined when the picture is not there or is another. */
  const read = async ({ image }: Lease): Promise<Image | undefined> => {
    const bytes = await store.get(image.key)
    if (!bytes) return undefined
    return createHash('sha256').update(bytes).digest('base64') === image.sha256
      ? { bytes, type: image.type }
      : undefined
  }

  const look = async (lease: Lease, wish: Wish): Promise<Image | Place | undefined> => {
    const url = wish.takesPlace ? store.url(lease.image.key) : undefined
    return url ? { url, integrity: `sha256-${lease.image.sha256}` } : read(lease)
  }

  return async (ticket, wish) => {
    for (let broken = 0; broken < MOST_BROKEN; broken++) {
      const lease = await pool.lease(ticket, leaseMs)
      if (!lease) {
        metrics.poolLeases.inc({ result: 'empty' })
        onEmpty()
        return undefined
      }
      let image: Image | Place | undefined
      try {
        image = await look(lease, wish)
      } catch (error) {
        // The code may be as good as ever: the store is what cannot be asked.
        log.error({ err: error, event: 'pool' }, 'the store of the pool cannot be read')
        return undefined
      }
      if (image) {
        if (wish.isFirst) metrics.poolLeases.inc({ result: lease.epoch === 1 ? 'fresh' : 'rested' })
        return { code: 'mini-program', ...(lease.check ? { check: lease.check } : {}), image }
      }
      metrics.poolBroken.inc()
      log.error(
        { event: 'pool', scene: lease.scene, picture: lease.image.key },
        'a picture of the pool is missing or not the one that was put there: its code is retired',
      )
      await pool.retire([lease.scene])
      // Best effort: what is left over is found by `check`.
      await store.remove([lease.image.key]).catch(() => {})
    }
    return undefined
  }
}
