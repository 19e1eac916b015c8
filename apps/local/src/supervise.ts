import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs } from '@saoma/protocol'
import type { Restartable } from '@saoma/testing'

const BACKOFF = { baseMs: 750, capMs: 15_000, least: 1 / 3 }
/** After this uptime a process starts over with the shortest delay. */
const STEADY_MS = 30_000

/**
 * Restarts a process whenever it ends by itself, with growing delays if it keeps ending. Stops at the signal.
 * @param say  called at every end and every restart
 */
export const supervise = async (
  name: string,
  running: Restartable,
  signal: AbortSignal,
  say: (sentence: string) => void,
): Promise<void> => {
  let tries = 0
  while (!signal.aborted) {
    const since = Date.now()
    const { code, signal: killer } = await running.exited
    if (signal.aborted) return
    if (Date.now() - since > STEADY_MS) tries = 0
    const waitMs = backoffMs(tries++, BACKOFF)
    say(`${name} ended (${killer ?? `exit code ${code}`}). Starting it again in ${(waitMs / 1000).toFixed(1)} s.`)
    try {
      await delay(waitMs, undefined, { signal })
      await running.restart()
      say(`${name} is back (process ${running.pid}).`)
    } catch (error) {
      if (signal.aborted) return
      say(`${name} did not start: ${error instanceof Error ? error.message : error}`)
    }
  }
}
