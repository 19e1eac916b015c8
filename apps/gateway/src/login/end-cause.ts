import { AsyncLocalStorage } from 'node:async_hooks'
import type { Note } from '@saoma/audit'

/** Who ends a session and why, for the audit. */
export type EndCause = Pick<Note, 'by' | 'reason' | 'key' | 'ip' | 'browser' | 'os' | 'said'>

const causes = new AsyncLocalStorage<() => EndCause>()

/**
 * Runs something that may end sessions, and says why. Identity ends sessions in one place for many reasons
 * and does not know them.
 *
 * @param causeOf  called when a session has ended
 */
export const because = <T>(causeOf: () => EndCause, act: () => T): T => causes.run(causeOf, act)

/** Why a session has just ended, as far as it is known. */
export const presentCause = (): EndCause => causes.getStore()?.() ?? { by: 'saoma' }
