import { setTimeout as delay } from 'node:timers/promises'

/**
 * Grows to five seconds, with jitter so that the nodes of a cluster do not return to Redis in one instant.
 */
export const backoffMs = (attempt: number): number =>
  Math.min(50 * 2 ** Math.min(attempt, 7), 5_000) * (0.5 + Math.random() / 2)

/** Resolves after the back-off of an attempt, or as soon as the signal fires. */
export const backOff = async (attempt: number, signal: AbortSignal): Promise<void> => {
  await delay(backoffMs(attempt), undefined, { ref: false, signal }).catch(() => {})
}
