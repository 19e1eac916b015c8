import { fail, ok } from '@saoma/protocol'
import { type RedisClients, reply } from '@saoma/redis'
import type { Pool, Wechat } from '@saoma/wechat'
import type { Config } from '../config.ts'
import { type Picture, plainPicture, wechatPicture } from '../http/picture.ts'
import type { Logger } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { freshThenPool } from './fresh-then-pool.ts'
import { leaseMsOf, openPool, openStore } from './open-pool.ts'
import { createPooledPicture } from './pooled-picture.ts'
import { startRefill } from './start-refill.ts'

export interface CodesDeps {
  redis: RedisClients
  wechat?: Wechat
  metrics: Metrics
  log: Logger
}

export interface Codes {
  picture: Picture
  /** Who knows what a pooled code leads to; none without WeChat. */
  pool?: Pool
  /** Ends what this node does for the pool. */
  close(): Promise<void>
}

/** Where the codes of logins come from, as the settings say. */
export const openCodes = ({ redis, wechat, metrics, log }: CodesDeps, config: Config): Codes => {
  const nothing = async () => {}
  if (config.demo || !wechat || !config.wechat) return { picture: plainPicture(config.origin), close: nothing }

  const { appid } = config.wechat
  const draw = wechatPicture({ wechat, metrics, log })
  // Codes that were leased before the settings were changed still lead to their tickets.
  const pool = openPool(redis, { ...config, wechat: config.wechat })
  if (config.codes === 'fresh' || !config.pool) return { picture: draw, pool, close: nothing }

  const store = openStore(config.pool)
  const refill = startRefill(
    { redis, pool, store, wechat, metrics, log },
    { appid, nodeId: config.nodeId, min: config.pool.min, max: config.pool.max },
  )
  const pooled = createPooledPicture(
    { pool, store, onEmpty: refill.nudge, metrics, log },
    { leaseMs: leaseMsOf(config.times) },
  )
  const chosen: Picture =
    config.codes === 'pool'
      ? async (ticket, wish) => {
          const shown = await pooled(ticket, wish)
          return shown ? ok(shown) : fail('WECHAT_UNAVAILABLE')
        }
      : freshThenPool({
          draw,
          pooled,
          isLeased: async (ticket) => (await reply(redis.data.exists(redis.keys.poolLease(appid, ticket)))) === 1,
        })

  return {
    // What is asked for now says how much of a reserve is needed.
    picture: async (ticket, wish) => {
      if (wish.isFirst) await pool.count()
      return chosen(ticket, wish)
    },
    pool,
    close: async () => {
      await refill.close()
      store.close()
    },
  }
}
