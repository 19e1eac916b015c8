import type { Clock } from './clock.ts'

export const SECOND_MS = 1_000
export const MINUTE_MS = 60_000
export const DAY_MS = 24 * 60 * MINUTE_MS
/** WeChat's day begins at midnight in China. */
const CHINA_MS = 8 * 60 * MINUTE_MS

/** Counts calls by key, in fixed windows that begin at a full minute or at midnight. */
export const createQuota = (clock: Clock, limit: number, windowMs: number) => {
  let window = 0
  const used = new Map<string, number>()

  const usedIn = (key: string): number => {
    const current = Math.floor((clock.now() + CHINA_MS) / windowMs)
    if (current !== window) used.clear()
    window = current
    return used.get(key) ?? 0
  }

  /** Counts calls. False if the quota of the window is used up. */
  const use = (key = '', calls = 1): boolean => {
    const count = usedIn(key)
    if (count + calls > limit) return false
    used.set(key, count + calls)
    return true
  }
  return Object.assign(use, { limit, seconds: windowMs / SECOND_MS, used: (key = '') => usedIn(key) })
}

export type Quota = ReturnType<typeof createQuota>
