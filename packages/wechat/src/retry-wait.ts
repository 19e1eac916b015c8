import { setTimeout as delay } from 'node:timers/promises'

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 1_000

/**
 * Waits before try number `tries + 1`: exponential, with full jitter. False when the signal ends the wait.
 */
export const pause = async (tries: number, signal: AbortSignal): Promise<boolean> => {
  const most = Math.min(FIRST_PAUSE_MS * 2 ** tries, LONGEST_PAUSE_MS)
  try {
    await delay(Math.random() * most, undefined, { signal })
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
