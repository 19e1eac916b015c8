import { type Claims, decodeClaims } from '../core/claims.ts'
import type { Store } from '../core/store.ts'
import type { Session } from './session.ts'

/** Whether somebody is logged in. `unknown`: on a server, and until its page is hydrated. */
export interface SessionState {
  readonly status: 'unknown' | 'out' | 'in'
  /** Claims of whoever is logged in, NOT verified: for display, not for decisions. */
  readonly person: Claims | undefined
}

const UNKNOWN: SessionState = { status: 'unknown', person: undefined }
const OUT: SessionState = { status: 'out', person: undefined }

/**
 * The state of a session for components. It listens to the session only while somebody subscribes.
 *
 * @example
 * ```ts
 * import { createSession } from '@saoma/client'
 * import { createSessionStore } from '@saoma/client/components'
 *
 * const session = createSession({ origin: 'https://login.example.com' })
 * const store = createSessionStore(session)
 * console.log(store.blank.status, store.read().status, store.read().person?.name) // -> unknown in Ann
 * const leave = store.subscribe(() => console.log(store.read().status)) // -> out
 * await session.logout()
 * leave()
 * ```
 */
export const createSessionStore = (session: Pick<Session, 'tokens' | 'on'>): Store<SessionState> => {
  let seen: Session['tokens']
  let state = OUT
  return {
    blank: UNKNOWN,
    read: () => {
      const { tokens } = session
      if (tokens !== seen) {
        seen = tokens
        // Without the scope `openid` there is no id_token. The access token names the person too.
        const person = decodeClaims(tokens?.id_token) ?? decodeClaims(tokens?.access_token)
        state = tokens ? { status: 'in', person } : OUT
      }
      return state
    },
    subscribe: (listener) => {
      const stops = [session.on('changed', () => listener()), session.on('ended', () => listener())]
      return () => {
        for (const stop of stops) stop()
      }
    },
  }
}
