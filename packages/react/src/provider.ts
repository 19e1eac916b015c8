import type { Session } from '@saoma/client'
import {
  type Channels,
  type ChannelsOptions,
  createChannels,
  createSessionStore,
  type SessionState,
  type Store,
} from '@saoma/client/components'
import { createContext, createElement, type ReactElement, type ReactNode, useContext, useMemo } from 'react'

/** Where the components log in and connect, and for whom. */
export interface SaomaProviderProps {
  /** Saoma's origin, without a path. */
  origin: string
  /** Make it once, outside of components: `createSession({ origin })`. */
  session: Session
  /** For the live connection, such as `{ shared: false }`. Read when `origin` or `session` changes. */
  live?: Omit<ChannelsOptions, 'origin' | 'session'>
  children?: ReactNode
}

/** What the components below a provider share. */
export interface Saoma {
  readonly origin: string
  readonly session: Session
  readonly sessionStore: Store<SessionState>
  readonly channels: Channels
}

const SaomaContext = createContext<Saoma | undefined>(undefined)

/**
 * Gives the components below it one session and one live connection. It does nothing by itself: the
 * connection is there while somebody is logged in and a component follows a channel.
 *
 * @example
 * ```tsx
 * import { createSession } from '@saoma/client'
 * import { SaomaProvider, useSession } from '@saoma/react'
 *
 * const origin = 'https://login.example.com'
 * const session = createSession({ origin })
 *
 * const Greeting = () => <p>Hello, {useSession().person?.name}</p>
 *
 * export const App = () => (
 *   <SaomaProvider origin={origin} session={session}>
 *     <Greeting />
 *   </SaomaProvider>
 * )
 * // shows: Hello, Ann
 * ```
 */
export const SaomaProvider = ({ origin, session, live, children }: SaomaProviderProps): ReactElement => {
  // Neither does anything before a component subscribes. So React may call this twice and drop one of them.
  // biome-ignore lint/correctness/useExhaustiveDependencies: `live` may be a new object each time.
  const saoma = useMemo<Saoma>(
    () => ({
      origin,
      session,
      sessionStore: createSessionStore(session),
      channels: createChannels({ ...live, origin, session }),
    }),
    [origin, session],
  )
  return createElement(SaomaContext, { value: saoma }, children)
}

/** Undefined without a provider. */
export const useOptionalSaoma = (): Saoma | undefined => useContext(SaomaContext)

export const useSaoma = (): Saoma => {
  const saoma = useOptionalSaoma()
  if (!saoma) throw new Error('There is no <SaomaProvider> around this component.')
  return saoma
}
