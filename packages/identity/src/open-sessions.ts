import type { RedisClients } from '@saoma/redis'
import type { ClientRegistry } from './client.ts'
import { createGrants, type Grants } from './grants.ts'
import { createRegistrations } from './registrations.ts'
import { createSessionEnds, type EndedSession } from './session-ends.ts'
import { createSessionMarks, type SessionMarks } from './session-marks.ts'
import type { SessionLimits } from './session-policy.ts'
import { createSessions, type Sessions } from './sessions.ts'
import { type SessionForms, shortForms } from './short-form.ts'
import { createUntold, type Untold } from './untold.ts'

export interface OpenSessionsOptions {
  /** Public origin of the cluster. */
  origin: string
  /** How long a scanned login can be confirmed, and a confirmed one redeemed. */
  times: { readonly confirmMs: number; readonly redeemMs: number }
  /** How many sessions a person may have. @default 100 */
  sessionLimits?: SessionLimits
  /**
   * Whether all running nodes read the short form of sessions, so that this one may write it. @default no
   */
  mayWriteShort?: () => boolean
  /**
   * Called after a session has been ended, by its owner, a backend or a limit, or because one of its refresh
   * tokens was replayed. If it rejects it is retried a few times.
   */
  onSessionEnded?: (session: EndedSession) => Promise<void>
  /** Called when a session has ended that left applications to be told. */
  onLeft?: () => void
  /** The registered applications. Without them nobody asks whom a grant was made for. */
  registry?: ClientRegistry
  /** Called when all tries of `onSessionEnded` have failed. */
  onSessionEndError?: (error: unknown) => void
}

/** The sessions of a cluster, without the provider that makes tokens for them. */
export interface OpenSessions {
  sessions: Sessions
  grants: Grants
  marks: SessionMarks
  forms: SessionForms
  /** The applications that have yet to be told of ends. A node tells them, also of what a command ended. */
  untold: Untold
  /** Gives up telling of ends that could not be told yet. */
  close(): void
}

/** Puts together what lists and ends sessions. A command that only ends some needs no more than this. */
export const openSessions = (redis: RedisClients, options: OpenSessionsOptions): OpenSessions => {
  const { origin, times, sessionLimits, mayWriteShort = () => false } = options
  const ends = createSessionEnds(options.onSessionEnded, options.onSessionEndError)
  const marks = createSessionMarks(redis, times.redeemMs, times.confirmMs)
  const forms = shortForms(origin, mayWriteShort)
  const untold = createUntold(redis, options.onLeft)
  const registrations = options.registry && createRegistrations(options.registry)
  const grants = createGrants(redis, marks, ends.tell, forms.grant, untold, registrations)
  const sessions = createSessions(redis, marks, grants, sessionLimits)
  return { sessions, grants, marks, forms, untold, close: ends.close }
}
