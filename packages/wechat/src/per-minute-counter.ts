import { scriptsIn } from '@saoma/redis'
import * as v from 'valibot'

const MINUTE_MS = 60_000

/** TTL of a counter: longer than anybody reads it. */
export const COUNTER_MS: number = 15 * MINUTE_MS

/**
 * Minutes since 1970 by this machine's clock. WeChat uses its own clock in any case, and a few seconds of
 * difference between nodes change a count only by that much.
 */
export const presentMinute = (): number => Math.floor(Date.now() / MINUTE_MS)

/** Adds one to a counter in Redis. */
export const countOne = scriptsIn('wechat', new URL('../lua/', import.meta.url))<
  [counter: string],
  [lifeMs: number],
  number
>('count', 1, (raw) => v.parse(v.number(), raw))
