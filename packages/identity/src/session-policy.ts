import type { LoginRequest } from '@saoma/protocol'

/** How many sessions a person may have. When one more begins, the oldest ends. */
export interface SessionLimits {
  /** In all. */
  most: number
  /** Of one kind. */
  ofKind: Partial<Readonly<Record<SessionKind, number>>>
}

/**
 * What a session may be counted as: the OAuth client that has sessions, and the device by the system that its
 * browser names.
 */
export type SessionKind = 'web' | 'computer' | 'phone'

/** Most sessions of a person, unless a limit is lower. */
export const MOST_SESSIONS = 100
export const DEFAULT_LIMITS: SessionLimits = { most: MOST_SESSIONS, ofKind: {} }

/** What a limit looks at. */
interface Counted extends Pick<LoginRequest, 'os'> {
  sid: string
  client: string
}

const PHONE = /^(Android|iOS|HarmonyOS|Windows Phone|BlackBerry|Bada)\b/

/** The kinds of a session. What does not name the system of a phone counts as a computer. */
const kindsOf = ({ client, os }: Counted): SessionKind[] => [
  ...(client === 'web' ? (['web'] as const) : []),
  PHONE.test(os) ? 'phone' : 'computer',
]

/** The fewest sessions with which some limit may be reached. */
export const leastOf = ({ most, ofKind }: SessionLimits): number => Math.min(most, ...Object.values(ofKind))

/**
 * The sessions that have to end.
 *
 * @param sessions  the newest first
 */
export const surplusOf = (sessions: readonly Counted[], { most, ofKind }: SessionLimits): string[] => {
  const kept = new Map<SessionKind, number>()
  let all = 0
  return sessions
    .filter((session) => {
      const kinds = kindsOf(session)
      const fits = all < most && kinds.every((kind) => (kept.get(kind) ?? 0) < (ofKind[kind] ?? most))
      if (!fits) return true
      all++
      for (const kind of kinds) kept.set(kind, (kept.get(kind) ?? 0) + 1)
      return false
    })
    .map(({ sid }) => sid)
}
