import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs, type EndNotice } from '@saoma/protocol'

/** A session that was ended on purpose, and why, if that was said. An expired session is not reported. */
export interface EndedSession extends Partial<EndNotice> {
  sub: string
  sid: string
}

const TRIES = 6
const FIRST_PAUSE_MS = 200

/**
 * Reports ended sessions. `tell` resolves after the first try, whatever its outcome: the session is over in
 * any case. Retries continue in the background for about six seconds.
 */
export const createSessionEnds = (
  onEnded: (session: EndedSession) => Promise<void> = async () => {},
  onError: (error: unknown) => void = () => {},
  firstPauseMs = FIRST_PAUSE_MS,
) => {
  const closing = new AbortController()

  const tryAgain = async (session: EndedSession, first: unknown): Promise<void> => {
    let failure = first
    for (let tries = 1; tries < TRIES; tries++) {
      try {
        // At least half of each pause, so that all tries together outlast a short outage.
        const pauseMs = backoffMs(tries - 1, { baseMs: firstPauseMs, capMs: Number.POSITIVE_INFINITY, least: 0.5 })
        await delay(pauseMs, undefined, { signal: closing.signal })
        return await onEnded(session)
      } catch (error) {
        if (closing.signal.aborted) break
        failure = error
      }
    }
    onError(failure)
  }

  return {
    tell: async (session: EndedSession): Promise<void> => {
      try {
        await onEnded(session)
      } catch (error) {
        void tryAgain(session, error)
      }
    },
    close: () => closing.abort(),
  }
}
