import { fail, ok } from '@saoma/protocol'
import { orUnavailable, type RedisClients } from '@saoma/redis'
import { CodeStoreError, type Pool, type Wechat } from '@saoma/wechat'
import { type Config, ConfigError } from '../../config/config.ts'
import type { Logger } from '../../operate/log.ts'
import type { Metrics } from '../../operate/metrics.ts'
import { freshThenPool } from './fresh-then-pool.ts'
import { leaseMsOf, openPool, openPoolStore } from './open-pool.ts'
import { plainPicture, type QrPicture, wechatPicture } from './picture.ts'
import { createPooledPicture } from './pooled-picture.ts'
import { startRefill } from './start-refill.ts'

export interface QrPicturesDeps {
  redis: RedisClients
  wechat?: Wechat
  metrics: Metrics
  log: Logger
}

export interface QrPictures {
  picture: QrPicture
  /** Resolves pooled codes to tickets. Absent without WeChat. */
  pool?: Pool
  /** Stops the work of this node for the pool. */
  close(): Promise<void>
}

/**
 * Opens the source of login codes that the settings choose. Rejects with
 * ConfigError if the store of the pool is not usable.
 */
export const openQrPictures = async (
  { redis, wechat, metrics, log }: QrPicturesDeps,
  config: Config,
): Promise<QrPictures> => {
  const nothing = async () => {}
  const toApp = plainPicture(config.origin, 'app')
  /** The picture that a browser asks for, or the one of the settings. */
  const either =
    (toPhone: QrPicture): QrPicture =>
    async (ticket, wish) => {
      if ((wish.opens ?? config.codeOpens) === 'phone') return toPhone(ticket, wish)
      return config.ownApp ? toApp(ticket, wish) : fail('NOT_FOUND')
    }
  if (config.demo || !wechat || !config.wechat) return { picture: either(plainPicture(config.origin)), close: nothing }

  const { appid } = config.wechat
  const draw = wechatPicture({ wechat, metrics, log })
  // Codes that were leased before a change of the settings still lead to their tickets.
  const pool = openPool(redis, { ...config, wechat: config.wechat })
  if (config.codes === 'fresh' || !config.pool) return { picture: either(draw), pool, close: nothing }

  const store = openPoolStore(redis, pool, { wechat: config.wechat, pool: config.pool })
  await store.check().catch((error: unknown) => {
    if (error instanceof CodeStoreError && error.isSetting) throw new ConfigError([`SAOMA_POOL_STORE ${error.message}`])
    // The store may come back. Until then the pool yields nothing.
    log.error({ err: error, event: 'pool' }, 'the store of the pool cannot be used at present')
  })
  const refill = startRefill(
    { redis, pool, store, wechat, metrics, log },
    { appid, nodeId: config.nodeId, min: config.pool.min, max: config.pool.max },
  )
  const pooled = createPooledPicture(
    { pool, store, onEmpty: refill.nudge, metrics, log },
    { leaseMs: leaseMsOf(config.times) },
  )
  const chosen: QrPicture =
    config.codes === 'pool'
      ? async (ticket, wish) => {
          const shown = await pooled(ticket, wish)
          return shown ? ok(shown) : fail('CODE_UNAVAILABLE')
        }
      : freshThenPool({
          draw,
          pooled,
          onSwitch: (isPooled) =>
            isPooled
              ? log.warn({ event: 'pool', kind: 'instead' }, 'WeChat fails or is slow: codes come from the pool')
              : log.info({ event: 'pool', kind: 'fresh' }, 'WeChat draws codes again'),
          isLeased: async (ticket) =>
            (await orUnavailable(redis.data.exists(redis.keys.poolLease(appid, ticket)))) === 1,
        })

  return {
    // Count the demand: it determines the size of the reserve.
    picture: either(async (ticket, wish) => {
      if (wish.isFirst) await pool.count()
      return chosen(ticket, wish)
    }),
    pool,
    close: async () => {
      await refill.close()
      store.close()
    },
  }
}
