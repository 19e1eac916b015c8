import { setTimeout as delay } from 'node:timers/promises'
import type { RedisClients } from '@saoma/redis'
import { createBudget } from '../draw-quota.ts'
import type { WechatFailure } from '../failure.ts'
import type { Wechat } from '../wechat.ts'
import { createBackOff } from './back-off.ts'
import type { Stock } from './code.ts'
import { fillPool } from './fill.ts'
import { createLeadership } from './leadership.ts'
import type { Pool } from './pool.ts'
import type { PoolStore } from './pool-store.ts'
import { createUpkeep } from './upkeep.ts'

/** What the refill did, for logs and metrics. */
export type RefillEvent =
  /** This node fills the pool from now on. */
  | { kind: 'leading' }
  /** It does not any more: another node has its place, or it could not tell Redis in time that it lives. */
  | { kind: 'lost' }
  /**
   * One look at the pool by the node that fills it: what there is, what was asked for, and how many fresh
   * codes there should be.
   */
  | { kind: 'looked'; stock: Stock; demand: number; lowWater: number }
  | { kind: 'filled'; codes: number }
  | { kind: 'retired'; codes: number }
  /** WeChat drew no more. */
  | { kind: 'failed'; failure: WechatFailure['kind']; errcode?: number; message: string; retryInMs: number }
  /** Redis or the store cannot be used. */
  | { kind: 'error'; error: unknown; retryInMs: number }

export interface RefillDeps {
  redis: RedisClients
  pool: Pool
  store: PoolStore
  wechat: Wechat
  onEvent?: (event: RefillEvent) => void
  /**
   * The clock for how long what failed is left alone, in milliseconds from any beginning.
   * @default performance.now
   */
  now?: () => number
}

/** The shortest and the longest pause after a failure, in milliseconds. */
type Pauses = readonly [firstMs: number, longestMs: number]

export interface RefillOptions {
  appid: string
  nodeId: string
  /** Fresh codes that are there at least. @default 100 */
  min?: number
  /** Codes in all. @default 10000 */
  max?: number
  /** Calls of WeChat in a minute, by everybody, above which the refill makes none. @default 4500 */
  perMinute?: number
  /** Milliseconds between two looks at the pool. @default 3000 */
  everyMs?: number
  /**
   * Milliseconds after which another node takes over from one that died; renewed three times as often.
   * @default 15000
   */
  leaseMs?: number
  /** @default 2 s to 5 min */
  unavailable?: Pauses
  /** @default 1 min to 15 min */
  misconfigured?: Pauses
}

/** The job that keeps the pool full, on one node of the cluster at a time. */
export interface Refill {
  /** Look now: the pool runs low. */
  nudge(): void
  /** Ends it, and lets another node go on at once. */
  close(): Promise<void>
}

/** So long the fresh codes are to last at the pace of the busiest of the last ten minutes. */
const MINUTES_AHEAD = 5
/** Codes between two looks. */
const BATCH = 100
/** Between two looks, however many nudges there are. */
const LEAST_PAUSE_MS = 200
const RENEW_MS = 3_600_000
const REDIS_AWAY: Pauses = [1_000, 30_000]

/** @throws RangeError when `min` and `max` contradict each other */
export const createRefill = (deps: RefillDeps, options: RefillOptions): Refill => {
  const { redis, pool, store, wechat, onEvent = () => {}, now = () => performance.now() } = deps
  const { appid, nodeId, min = 100, max = 10_000, perMinute, everyMs = 3_000, leaseMs = 15_000 } = options
  if (!(min >= 1 && max >= min)) throw new RangeError(`a pool of at least ${min} and at most ${max} codes cannot be`)
  const budget = createBudget(redis, appid)
  const upkeep = createUpkeep({ redis, pool, store }, appid)
  const leadership = createLeadership(redis, { appid, nodeId, leaseMs }, () => onEvent({ kind: 'lost' }))
  const closing = new AbortController()

  const pauses = {
    unavailable: createBackOff(options.unavailable ?? [2_000, 300_000]),
    misconfigured: createBackOff(options.misconfigured ?? [60_000, 900_000]),
    broken: createBackOff(REDIS_AWAY),
  }
  /** WeChat and the store are left alone until then. */
  let restUntil = 0
  let renewAt = 0
  let term: AbortSignal | undefined

  const rest = (pause: keyof typeof pauses): number => {
    const retryInMs = pauses[pause].next()
    restUntil = now() + retryInMs
    return retryInMs
  }

  /** How many fresh codes are missing; those that are leased or in quarantine leave that much less room. */
  const look = async (): Promise<number> => {
    const [stock, demand] = await Promise.all([pool.stock(), pool.demand()])
    const lowWater = Math.min(Math.max(demand * MINUTES_AHEAD, min), max)
    onEvent({ kind: 'looked', stock, demand, lowWater })
    return Math.min(lowWater, max - stock.busy) - stock.fresh
  }

  /** Whether it made them all. */
  const draw = async (codes: number, signal: AbortSignal): Promise<boolean> => {
    let made = 0
    const onCode = () => {
      made++
    }
    try {
      const filled = await fillPool(
        { pool, store, wechat, budget },
        { codes, signal, onCode, ...(perMinute === undefined ? {} : { perMinute }) },
      )
      if (made > 0) for (const pause of Object.values(pauses)) pause.reset()
      if (!filled.failure) return made === codes
      const { kind, errcode, message } = filled.failure
      const retryInMs = rest(kind === 'misconfigured' ? kind : 'unavailable')
      onEvent({ kind: 'failed', failure: kind, ...(errcode === undefined ? {} : { errcode }), message, retryInMs })
    } catch (error) {
      onEvent({ kind: 'error', error, retryInMs: rest('unavailable') })
    } finally {
      if (made > 0) onEvent({ kind: 'filled', codes: made })
    }
    return false
  }

  /** One look at the pool and what follows from it. Milliseconds until the next. */
  const lead = async (signal: AbortSignal): Promise<number> => {
    const missing = await look()
    const mayDraw = missing > 0 && now() >= restUntil
    const isDrawn = mayDraw && (await draw(Math.min(missing, BATCH), signal))
    if (signal.aborted) return everyMs
    if (now() >= renewAt) {
      await store.recognise()
      await upkeep.renew()
      renewAt = now() + RENEW_MS
    }
    // Only after new codes are there: while WeChat is down the rested ones are all there is. Last, because a
    // store that lets nobody remove anything must not keep the pool from being filled and renewed.
    const culled = await upkeep.cull(max)
    if (culled > 0) onEvent({ kind: 'retired', codes: culled })
    return isDrawn && missing > BATCH ? 0 : everyMs
  }

  const turn = async (): Promise<number> => {
    const { won, leftMs } = await leadership.claim()
    const held = leadership.held()
    if (!won || !held) return Math.min(leftMs + LEAST_PAUSE_MS, everyMs)
    if (held !== term) {
      term = held
      renewAt = 0
      onEvent({ kind: 'leading' })
    }
    const renewal = setInterval(() => {
      // Without Redis the lease runs out here as it does there.
      if (leadership.held() === held) leadership.claim().catch(() => {})
    }, leaseMs / 3)
    try {
      return Math.min(await lead(AbortSignal.any([held, closing.signal])), leaseMs / 3)
    } finally {
      clearInterval(renewal)
    }
  }

  let nudged = new AbortController()
  const sleep = async (ms: number, ...signals: AbortSignal[]): Promise<void> => {
    // Cut short is as good as over.
    await delay(ms, undefined, { signal: AbortSignal.any([closing.signal, ...signals]) }).catch(() => {})
  }
  const idle = async (ms: number): Promise<void> => {
    await sleep(Math.min(ms, LEAST_PAUSE_MS))
    await sleep(Math.max(ms - LEAST_PAUSE_MS, 0), nudged.signal)
    nudged = new AbortController()
  }

  const run = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      let pauseMs: number
      try {
        pauseMs = await turn()
        pauses.broken.reset()
      } catch (error) {
        pauseMs = pauses.broken.next()
        if (!closing.signal.aborted) onEvent({ kind: 'error', error, retryInMs: pauseMs })
      }
      await idle(pauseMs)
    }
    // If Redis is away it runs out by itself.
    await leadership.resign().catch(() => {})
  }
  const running = run()

  return {
    nudge: () => nudged.abort(),
    close: () => {
      closing.abort()
      return running
    },
  }
}
