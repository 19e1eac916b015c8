import { createHash } from 'node:crypto'
import type { Lease, Pool, PoolStore } from '@saoma/wechat'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import { type Logger, rarely } from '../../operate/log.ts'
import type { Metrics } from '../../operate/metrics.ts'
import type { ImageLocation, PictureRequest, QrImage, ShownPicture } from './picture.ts'
import { withTimeout } from './with-timeout.ts'

export interface PooledPictureDeps {
  pool: Pool
  store: PoolStore
  /** Called when a picture was requested and no code could be leased. */
  onEmpty: () => void
  metrics: Metrics
  log: Logger
}

/** Provides a picture from the pool; undefined if none is available. */
export type PooledPicture = (ticket: string, wish: PictureRequest) => Promise<ShownPicture | undefined>

export interface PooledPictureOptions {
  /** How long a code leads to its ticket, in milliseconds. */
  leaseMs: number
  /** Timeout of a read from the store, in milliseconds. @default 3000 */
  patienceMs?: number
}

/** Broken pictures that one request retires before it gives up. */
const MOST_BROKEN = 3
/**
 * Broken pictures that a node retires in a minute. If more are missing, the store is wrong, and other nodes
 * can still use the codes.
 */
const BROKEN_PER_MINUTE = 10
/** Every visitor runs into a store that is down, so at most one log line in this time. */
const QUIET_MS = 10_000

export const createPooledPicture = (
  { pool, store, onEmpty, metrics, log }: PooledPictureDeps,
  { leaseMs, patienceMs = 3_000 }: PooledPictureOptions,
): PooledPicture => {
  const retirements = new RateLimiterMemory({ points: BROKEN_PER_MINUTE, duration: 60 })
  const mayRetire = async (): Promise<boolean> => {
    try {
      await retirements.consume('')
      return true
    } catch {
      return false
    }
  }
  const unreadable = rarely(QUIET_MS, (error: unknown, times) =>
    log.error({ err: error, event: 'pool', times }, 'the store of the pool cannot be read'),
  )
  const empty = rarely(QUIET_MS, (_, times) =>
    log.error({ event: 'pool', kind: 'empty', times }, 'the pool has no code to show'),
  )
  const hollow = rarely(QUIET_MS, (_, times) =>
    log.error(
      { event: 'pool', times },
      'the store of the pool lacks many pictures: is SAOMA_POOL_STORE the same place for all nodes? Codes without a picture are not retired for now',
    ),
  )

  /** Reads the picture of a lease. `broken` if it is missing or its hash differs. */
  const read = async ({ image }: Lease): Promise<QrImage | 'broken'> => {
    const bytes = await store.get(image.key)
    const isGood = bytes && createHash('sha256').update(bytes).digest('base64') === image.sha256
    return isGood ? { bytes, type: image.type } : 'broken'
  }

  /** The picture or its address. Undefined if the store does not answer: the code may still be good. */
  const look = async (lease: Lease, wish: PictureRequest): Promise<QrImage | ImageLocation | 'broken' | undefined> => {
    const url = wish.takesPlace ? store.url(lease.image.key) : undefined
    if (url) return { url, integrity: `sha256-${lease.image.sha256}` }
    try {
      const image = await withTimeout(patienceMs, read(lease))
      if (!image) unreadable(new Error('no answer in time'))
      return image
    } catch (error) {
      unreadable(error)
      return undefined
    }
  }

  return async (ticket, wish) => {
    for (let broken = 0; broken < MOST_BROKEN; broken++) {
      const lease = await pool.lease(ticket, leaseMs)
      if (!lease) {
        metrics.poolLeases.inc({ result: 'empty' })
        empty(undefined)
        onEmpty()
        return undefined
      }
      const image = await look(lease, wish)
      if (!image) {
        metrics.poolLeases.inc({ result: 'unreadable' })
        return undefined
      }
      if (image !== 'broken') {
        if (wish.isFirst) metrics.poolLeases.inc({ result: lease.check ? 'rested' : 'fresh' })
        return { code: 'mini-program', ...(lease.check ? { check: lease.check } : {}), image }
      }
      metrics.poolBroken.inc()
      if (!(await mayRetire())) {
        hollow(undefined)
        return undefined
      }
      log.error(
        { event: 'pool', scene: lease.scene, picture: lease.image.key },
        'a picture of the pool is missing or was changed: its code is retired',
      )
      await pool.retire([lease.scene])
      // Best effort: the command `check` finds whatever remains.
      await store.remove([lease.image.key]).catch(() => {})
    }
    return undefined
  }
}
