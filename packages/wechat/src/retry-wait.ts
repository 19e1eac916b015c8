import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs } from '@saoma/protocol'

const BACKOFF = { baseMs: 100, capMs: 1_000 }

/** Waits before try number `tries + 1`. Resolves with false when the signal ends the wait. */
export const pause = async (tries: number, signal: AbortSignal): Promise<boolean> => {
  try {
    await delay(backoffMs(tries, BACKOFF), undefined, { signal })
    return true
  } catch {
    return false // Out of time, or closed.
  }
}

/**
 * Resolves with the work's result, or with `otherwise` when the signal is aborted first. The work itself goes
 * on, because others may wait for it, too.
 */
export const within = <T>(signal: AbortSignal, work: Promise<T>, otherwise: T): Promise<T> =>
  new Promise((resolve, reject) => {
    const giveUp = () => resolve(otherwise)
    if (signal.aborted) giveUp()
    signal.addEventListener('abort', giveUp, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp))
  })
