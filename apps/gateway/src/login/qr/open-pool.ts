import type { RedisClients } from '@saoma/redis'
import { type CodeStore, createPool, createPoolStore, openCodeStore, type Pool, type PoolStore } from '@saoma/wechat'
import { type Config, ConfigError } from '../../config/config.ts'

/** On top of what a ticket can live, for a phone that is slow. */
const MARGIN = 1 / 4

/**
 * How long a code leads to its ticket, in milliseconds: as long as the phone may scan, and scan again until
 * it confirms.
 */
export const leaseMsOf = ({ scanMs, confirmMs }: Config['times']): number => scanMs + confirmMs

/** The pool of the mini-program, whether or not it is filled or leased from at present. */
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
    // It has a sentence about AWS's own settings, which are read there.
    throw error instanceof TypeError ? new ConfigError([error.message]) : error
  }
}

/** The place of the settings as the store of the pool. @throws ConfigError */
export const openPoolStore = (
  redis: RedisClients,
  pool: Pool,
  config: { [key in 'wechat' | 'pool']: NonNullable<Config[key]> },
): PoolStore => createPoolStore({ redis, pool, store: openStore(config.pool) }, config.wechat.appid)
