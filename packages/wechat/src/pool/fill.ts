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
  /** How many codes to make. */
  codes: number
  /** Calls of WeChat in a minute, by everybody, above which none is made. @default FILL_PER_MINUTE */
  perMinute?: number
  /** Ends it: what WeChat is drawing is left, what is being stored is finished. */
  signal?: AbortSignal
  /** Told of each code that the pool has got. */
  onCode?: () => void
}

export interface Filled {
  codes: number
  /** Why it ended early: WeChat failed … */
  failure?: WechatFailure
  /** … or the quota of this minute is used up. */
  quota?: true
}

/** What WeChat allows less what people may need who wait for their own code in the same minute. */
export const FILL_PER_MINUTE: number = CODES_PER_MINUTE - 500
const AT_ONCE = 4

/**
 * Makes codes for the pool, four at once, until there are enough, WeChat fails, or the quota is used up. The
 * picture is stored first: a crash in between leaves a picture without a code, which `auditPool` finds, never
 * a code without its picture. Rejects when the store or Redis cannot be asked, or the store is not that of
 * the pool. Any number of these may run at once.
 */
export const fillPool = async (deps: FillDeps, options: FillOptions): Promise<Filled> => {
  const { pool, store, wechat, budget } = deps
  const { codes, perMinute = FILL_PER_MINUTE, signal, onCode = () => {} } = options
  let begun = 0
  let made = 0
  /** Calls that may not have been counted yet. */
  let underWay = 0
  let failure: WechatFailure | undefined
  let broken = false
  const isOver = () => begun >= codes || failure !== undefined || broken || signal?.aborted === true

  /** False when the minute may have no room for one more. */
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
  // One that finds no room leaves; the last of them is alone, so what it finds is exact.
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
