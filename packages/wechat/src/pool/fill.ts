import { createHash, randomBytes } from 'node:crypto'
import { pooledSceneBits } from '@saoma/protocol'
import { type Budget, CODES_PER_MINUTE } from '../draw-quota.ts'
import type { WechatFailure } from '../failure.ts'
import { within } from '../retry-wait.ts'
import type { Wechat } from '../wechat.ts'
import { pictureKey } from './picture-key.ts'
import type { Pool } from './pool.ts'
import type { PoolStore } from './pool-store.ts'

export interface FillDeps {
  pool: Pool
  store: PoolStore
  wechat: Wechat
  budget: Budget
}

export interface FillOptions {
  /** How many codes to draw. */
  codes: number
  /**
   * Quota: no code is drawn above this number of WeChat calls per minute, of all callers together.
   * @default FILL_PER_MINUTE
   */
  perMinute?: number
  /**
   * Ends the fill: codes that WeChat is drawing are dropped, pictures that are being stored are completed.
   */
  signal?: AbortSignal
  /** Called for each code that was added to the pool. */
  onCode?: () => void
}

export interface Filled {
  codes: number
  /** Why it ended early: WeChat failed … */
  failure?: WechatFailure
  /** … or this minute's quota is used up. */
  quota?: true
}

/** WeChat's quota, minus a reserve for people who wait for a code of their own in the same minute. */
export const FILL_PER_MINUTE: number = CODES_PER_MINUTE - 500
const AT_ONCE = 4

/**
 * Draws codes for the pool, four at once, until there are enough, WeChat fails, or the quota is used up. Each
 * picture is stored before its code. So a crash in between leaves a picture without a code, which `auditPool`
 * finds, but never a code without a picture. Rejects when the store or Redis is unavailable, or when the
 * store belongs to another pool. Several fills may run at once.
 */
export const fillPool = async (deps: FillDeps, options: FillOptions): Promise<Filled> => {
  const { pool, store, wechat, budget } = deps
  const { codes, perMinute = FILL_PER_MINUTE, signal, onCode = () => {} } = options
  let begun = 0
  let made = 0
  /** Calls that may not be counted yet. */
  let underWay = 0
  let failure: WechatFailure | undefined
  let broken = false
  const isOver = () => begun >= codes || failure !== undefined || broken || signal?.aborted === true

  /** False when this minute's quota may be used up. */
  const draw = async (): Promise<boolean> => {
    const scene = randomBytes(pooledSceneBits / 8).toString('base64url')
    let drawn: Awaited<ReturnType<Wechat['codeImage']>> | undefined
    underWay++
    try {
      if ((await budget.used()) + underWay > perMinute) return false
      const drawing = wechat.codeImage(scene)
      drawn = await (signal ? within(signal, drawing, undefined) : drawing)
    } finally {
      underWay--
    }
    if (!drawn || signal?.aborted) return true
    if (!drawn.ok) {
      failure ??= drawn
      return true
    }
    const { bytes, type } = drawn.image
    const key = pictureKey(type)
    await store.put(key, bytes, type)
    await pool.add(scene, { key, type, sha256: createHash('sha256').update(bytes).digest('base64') })
    made++
    onCode()
    return true
  }

  await store.recognise()
  // A worker that finds no room ends. The last one is alone, so its count is exact.
  const work = async (): Promise<void> => {
    while (!isOver()) {
      begun++
      try {
        if (await draw()) continue
        begun--
        return
      } catch (error) {
        broken = true
        throw error
      }
    }
  }
  const ends = await Promise.allSettled(Array.from({ length: Math.min(AT_ONCE, codes) }, work))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
  const isCut = failure === undefined && begun < codes && signal?.aborted !== true
  return { codes: made, ...(failure ? { failure } : {}), ...(isCut ? { quota: true } : {}) }
}
