import type { Answer } from '@saoma/client'
import { backoffMs, pause } from '@saoma/protocol'

export interface PersistOptions {
  /** Whether another try makes sense now. @default always */
  isWorth?: () => boolean
  random: () => number
  /** Aborts the waiting. */
  signal: AbortSignal
}

const TRIES = 3
const BACKOFF = { baseMs: 300, capMs: 3_000 }
/**
 * A person should see "one moment" no longer than this. For a longer wait the page shows the error, and the
 * person may retry.
 */
const LONGEST_WAIT_MS = 3_000

/**
 * Retries an attempt while its answer allows it: three tries in all, with a back-off. Resolves with the last
 * answer.
 */
export const persist = async <T>(attempt: () => Promise<Answer<T>>, options: PersistOptions): Promise<Answer<T>> => {
  const { isWorth = () => true, random, signal } = options
  for (let made = 1; ; made++) {
    const answer = await attempt()
    if (answer.ok || answer.react !== 'retry' || made === TRIES || signal.aborted || !isWorth()) return answer
    const waitMs = Math.max(answer.retryAfterMs ?? 0, backoffMs(made, BACKOFF, random))
    if (waitMs > LONGEST_WAIT_MS) return answer
    await pause(waitMs, signal)
    if (signal.aborted || !isWorth()) return answer
  }
}
