import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs } from '@saoma/protocol'

/** Of whatever asks Redis again. */
export const REDIS_BACKOFF = { baseMs: 100, capMs: 5_000, least: 0.5 }

/** Resolves after the back-off of an attempt, which counts from 0, or as soon as the signal fires. */
export const backOff = async (attempt: number, signal: AbortSignal): Promise<void> => {
  await delay(backoffMs(attempt, REDIS_BACKOFF), undefined, { ref: false, signal }).catch(() => {})
}
