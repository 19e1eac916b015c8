import {
  CodeStoreError,
  createRefill,
  type Refill,
  type RefillDeps,
  type RefillEvent,
  type RefillOptions,
} from '@saoma/wechat'
import type { Logger } from '../../operate/log.ts'
import type { Metrics } from '../../operate/metrics.ts'

const seconds = (ms: number): string => `${Math.ceil(ms / 1000)} s`

/** Starts the refill job, with logs and metrics for its events. */
export const startRefill = (
  { metrics, log, ...deps }: Omit<RefillDeps, 'onEvent'> & { metrics: Metrics; log: Logger },
  options: RefillOptions,
): Refill => {
  const tell = (event: RefillEvent): void => {
    switch (event.kind) {
      case 'leading':
        metrics.poolLeader.set(1)
        return log.info({ event: 'pool', kind: 'leading' }, 'this node fills the pool')
      case 'lost':
        metrics.poolLeader.set(0)
        // The values that this node saw last are out of date.
        for (const gauge of [metrics.poolCodes, metrics.poolLowWater, metrics.poolDemand]) gauge.reset()
        return log.warn({ event: 'pool', kind: 'lost' }, 'this node no longer fills the pool')
      case 'looked':
        for (const [state, codes] of Object.entries(event.stock)) metrics.poolCodes.set({ state }, codes)
        metrics.poolLowWater.set(event.lowWater)
        metrics.poolDemand.set(event.demand)
        return
      case 'filled':
        metrics.poolRefill.inc({ result: 'drawn' }, event.codes)
        metrics.wechatDraws.inc({ purpose: 'pool' }, event.codes)
        return log.info({ event: 'pool', kind: 'filled', codes: event.codes }, 'the pool has new codes')
      case 'retired':
        metrics.poolRefill.inc({ result: 'retired' }, event.codes)
        return log.info({ event: 'pool', kind: 'retired', codes: event.codes }, 'codes of the pool were retired')
      case 'failed':
        metrics.poolRefill.inc({ result: event.failure })
        return log[event.failure === 'unavailable' ? 'warn' : 'error'](
          { event: 'pool', kind: 'failed', errcode: event.errcode, retryInMs: event.retryInMs },
          `the pool is not filled for ${seconds(event.retryInMs)}: ${event.message}`,
        )
      case 'error':
        metrics.poolRefill.inc({ result: 'error' })
        return log.error(
          { event: 'pool', kind: 'error', err: event.error, retryInMs: event.retryInMs },
          `the pool is not filled for ${seconds(event.retryInMs)}: ${event.error instanceof CodeStoreError ? event.error.message : 'Redis or the store cannot be used'}`,
        )
    }
  }
  const refill = createRefill({ ...deps, onEvent: tell }, options)
  return {
    ...refill,
    close: async () => {
      await refill.close()
      // The drain goes on for seconds after that, while another node leads.
      metrics.poolLeader.set(0)
    },
  }
}
