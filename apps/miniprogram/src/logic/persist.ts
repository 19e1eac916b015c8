import type { Answer } from '@saoma/client'
import { backoffMs, pause } from '@saoma/protocol'

export interface PersistOptions {
  /** Whether another try can do any good right now. @default always */
  isWorth?: () => boolean
  random: () => number
  /** Gives up waiting. */
  signal: AbortSignal
}

const TRIES = 3
const BACKOFF = { baseMs: 300, capMs: 3_000 }
/** Nobody looks at "one moment" for longer: who has to wait more is told so, and may try again. */
const LONGEST_WAIT_MS = 3_000

/**
 * Tries again, three times in all and after a back-off, what says that another time it may work. Resolves
 * with the last answer.
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
