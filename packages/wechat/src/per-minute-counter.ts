import { scriptsIn } from '@saoma/redis'
import * as v from 'valibot'

const MINUTE_MS = 60_000

/** Counters of one minute each live a little longer than anybody asks for them. */
export const COUNTER_MS: number = 15 * MINUTE_MS

/**
 * The minute since 1970 by the clock of this machine: WeChat counts by a clock of its own in any case, and a
 * few seconds between nodes shift a count by that much and no more.
 */
export const presentMinute = (): number => Math.floor(Date.now() / MINUTE_MS)

/** One more in a counter of Redis. */
export const countOne = scriptsIn('wechat', new URL('../lua/', import.meta.url))<
  [counter: string],
  [lifeMs: number],
  number
>('count', 1, (raw) => v.parse(v.number(), raw))
