import type { RedisClients } from '@saoma/redis'
import { type CodeStore, createPool, createPoolStore, openCodeStore, type Pool, type PoolStore } from '@saoma/wechat'
import { type Config, ConfigError } from '../../config/config.ts'

/** Added to the longest life of a ticket, for a slow phone. */
const MARGIN = 1 / 4

/**
 * How long a code leads to its ticket, in milliseconds: the time to
 * scan, and to scan again until the confirm.
 */
export const leaseMsOf = ({ scanMs, confirmMs }: Config['times']): number => scanMs + confirmMs

/** The pool of the mini-program, even if the settings do not use it at present. */
export const openPool = (
  redis: RedisClients,
  { wechat, pool, times }: { wechat: NonNullable<Config['wechat']> } & Pick<Config, 'pool' | 'times'>,
): Pool =>
  createPool(redis, {
    appid: wechat.appid,
    ...(pool ? { leases: pool.leases } : {}),
    quarantineMs: (times.scanMs + times.confirmMs + times.redeemMs) * (1 + MARGIN),
  })

/** @throws ConfigError */
export const openStore = ({ store, cdn, addressing }: NonNullable<Config['pool']>): CodeStore => {
  try {
    return openCodeStore(store, { ...(cdn ? { cdn } : {}), ...(addressing ? { addressing } : {}) })
  } catch (error) {
    // The store reads AWS's own settings, and its TypeError explains what is wrong with them.
    throw error instanceof TypeError ? new ConfigError([error.message]) : error
  }
}

/**
 * Opens the configured place as the store of the pool.
 * @throws ConfigError
 */
export const openPoolStore = (
  redis: RedisClients,
  pool: Pool,
  config: { [key in 'wechat' | 'pool']: NonNullable<Config[key]> },
): PoolStore => createPoolStore({ redis, pool, store: openStore(config.pool) }, config.wechat.appid)
