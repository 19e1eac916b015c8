import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs } from '@saoma/protocol'

/** Back-off for all retries of Redis calls. */
export const REDIS_BACKOFF = { baseMs: 100, capMs: 5_000, least: 0.5 }

/** Resolves after the back-off of an attempt (counted from 0), or when the signal is aborted. */
export const backOff = async (attempt: number, signal: AbortSignal): Promise<void> => {
  await delay(backoffMs(attempt, REDIS_BACKOFF), undefined, { ref: false, signal }).catch(() => {})
}
