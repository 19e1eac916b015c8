import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs } from '@saoma/protocol'

const BACKOFF = { baseMs: 100, capMs: 1_000 }

/** Waits before try number `tries + 1`. False when the signal ends the wait. */
export const pause = async (tries: number, signal: AbortSignal): Promise<boolean> => {
  try {
    await delay(backoffMs(tries, BACKOFF), undefined, { signal })
    return true
  } catch {
    return false // Out of time, or closed.
  }
}

/**
 * The work's result, or `otherwise` when the signal comes first. The work itself goes on: others may wait for
 * it too.
 */
export const within = <T>(signal: AbortSignal, work: Promise<T>, otherwise: T): Promise<T> =>
  new Promise((resolve, reject) => {
    const giveUp = () => resolve(otherwise)
    if (signal.aborted) giveUp()
    signal.addEventListener('abort', giveUp, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp))
  })
