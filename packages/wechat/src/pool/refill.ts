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

/** Events of the refill, for logs and metrics. */
export type RefillEvent =
  /** This node now fills the pool. */
  | { kind: 'leading' }
  /**
   * This node no longer fills the pool: another node took over, or this one could not renew its lease in
   * time.
   */
  | { kind: 'lost' }
  /** One check of the pool by the leader: the stock, the demand, and the target for fresh codes. */
  | { kind: 'looked'; stock: Stock; demand: number; lowWater: number }
  | { kind: 'filled'; codes: number }
  | { kind: 'retired'; codes: number }
  /** WeChat failed. */
  | { kind: 'failed'; failure: WechatFailure['kind']; errcode?: number; message: string; retryInMs: number }
  /** Redis or the store is unavailable. */
  | { kind: 'error'; error: unknown; retryInMs: number }

export interface RefillDeps {
  redis: RedisClients
  pool: Pool
  store: PoolStore
  wechat: Wechat
  onEvent?: (event: RefillEvent) => void
  /**
   * Monotonic clock in milliseconds, for pauses after failures.
   * @default performance.now
   */
  now?: () => number
}

/** The shortest and the longest pause after a failure, in milliseconds. */
type Pauses = readonly [firstMs: number, longestMs: number]

export interface RefillOptions {
  appid: string
  nodeId: string
  /** Least number of fresh codes. @default 100 */
  min?: number
  /** Most codes in all. @default 10000 */
  max?: number
  /**
   * Quota: the refill draws no code above this number of WeChat calls per minute, of all callers together.
   * @default 4500
   */
  perMinute?: number
  /** Milliseconds between two checks of the pool. @default 3000 */
  everyMs?: number
  /**
   * Lifetime of the leader's lease in milliseconds; it is renewed three times as often.
   * @default 15000
   */
  leaseMs?: number
  /** @default 2 s to 5 min */
  unavailable?: Pauses
  /** @default 1 min to 15 min */
  misconfigured?: Pauses
}

/** The job that keeps the pool full. It runs on one node of the cluster at a time. */
export interface Refill {
  /** Checks at once: the pool runs low. */
  nudge(): void
  /** Ends the job and releases the lease. */
  close(): Promise<void>
}

/** The fresh codes should last for this time at the pace of the busiest of the last ten minutes. */
const MINUTES_AHEAD = 5
/** Most codes drawn between two checks. */
const BATCH = 100
/** Least pause between two checks, however often `nudge` is called. */
const LEAST_PAUSE_MS = 200
const RENEW_MS = 3_600_000
const REDIS_AWAY: Pauses = [1_000, 30_000]

/** @throws RangeError when `min` and `max` contradict each other */
export const createRefill = (deps: RefillDeps, options: RefillOptions): Refill => {
  const { redis, pool, store, wechat, onEvent = () => {}, now = () => performance.now() } = deps
  const { appid, nodeId, min = 100, max = 10_000, perMinute, everyMs = 3_000, leaseMs = 15_000 } = options
  if (!(min >= 1 && max >= min))
    throw new RangeError(`a pool of at least ${min} and at most ${max} codes is impossible`)
  const budget = createBudget(redis, appid)
  const upkeep = createUpkeep({ redis, pool, store }, appid)
  const leadership = createLeadership(redis, { appid, nodeId, leaseMs }, () => onEvent({ kind: 'lost' }))
  const closing = new AbortController()

  const pauses = {
    unavailable: createBackOff(options.unavailable ?? [2_000, 300_000]),
    misconfigured: createBackOff(options.misconfigured ?? [60_000, 900_000]),
    broken: createBackOff(REDIS_AWAY),
  }
  /** Until then neither WeChat nor the store is used. */
  let restUntil = 0
  let renewAt = 0
  let term: AbortSignal | undefined

  const rest = (pause: keyof typeof pauses): number => {
    const retryInMs = pauses[pause].next()
    restUntil = now() + retryInMs
    return retryInMs
  }

  /** How many fresh codes are missing. Codes that are leased or in quarantine take up room. */
  const look = async (): Promise<number> => {
    const [stock, demand] = await Promise.all([pool.stock(), pool.demand()])
    const lowWater = Math.min(Math.max(demand * MINUTES_AHEAD, min), max)
    onEvent({ kind: 'looked', stock, demand, lowWater })
    return Math.min(lowWater, max - stock.busy) - stock.fresh
  }

  /** Whether all codes were drawn. */
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

  /** Checks the pool and acts on it. Resolves with the milliseconds until the next check. */
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
    // Only after new codes were drawn: while WeChat is down, the rested codes are the only reserve. Last,
    // because a store that refuses to remove must not prevent filling and renewing.
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
      // If Redis is unavailable, the lease expires here at the same time as there.
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
    // An interrupted pause is fine.
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
    // If Redis is unavailable, the lease expires by itself.
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
