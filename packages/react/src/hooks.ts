import type { Session } from '@saoma/client'
import type { Channel, ChannelOptions, ChannelState, Present, SessionState, Store } from '@saoma/client/components'
import { useMemo, useSyncExternalStore } from 'react'
import { useLatest } from './latest.ts'
import { useSaoma } from './provider.ts'

const useStore = <T>({ subscribe, read, blank }: Store<T>): T => useSyncExternalStore(subscribe, read, () => blank)

/** Who is logged in, and what can be done with the session. */
export type UsedSession = SessionState & Pick<Session, 'accessToken' | 'userinfo' | 'logout'>

/**
 * Who is logged in, and what can be done with the session. `status` is `unknown` on a server and while its
 * page is hydrated. `person` has the claims of the id token, NOT verified: for display, not for decisions.
 * Throws without a `<SaomaProvider>`.
 *
 * @example
 * ```tsx
 * import { useSession } from '@saoma/react'
 *
 * export const Account = () => {
 *   const { status, person, logout } = useSession()
 *   if (status === 'unknown') return null
 *   if (status === 'out') return <p>Nobody is logged in.</p>
 *   return <button onClick={logout}>Log {person?.name} out</button>
 * }
 * // shows: Log Ann out
 * // shows: Nobody is logged in.
 * ```
 */
export const useSession = (): UsedSession => {
  const { session, sessionStore } = useSaoma()
  const { accessToken, userinfo, logout } = session
  return { ...useStore(sessionStore), accessToken, userinfo, logout }
}

/** The state of a channel, and what can be done with it. */
export type UsedChannel<Events extends object> = ChannelState<Events> & Pick<Channel<Events>, 'publish' | 'markRead'>

/**
 * Follows a channel while the component is mounted: `@user` or `room:<name>`. Before somebody is logged in,
 * and after that, its state is `idle` and its list is empty. `messages` has the newest, the oldest first. A
 * server that does not let us follow makes the state `refused`; `failure` says why. Throws without a
 * `<SaomaProvider>`.
 *
 * @param name  undefined: nothing is followed
 * @param options  how to begin, and listeners. It may be a new object each time
 *
 * @example
 * ```tsx
 * import { useChannel } from '@saoma/react'
 *
 * export const Lobby = () => {
 *   const { state, messages, publish } = useChannel<{ said: { text: string } }>('room:lobby', {
 *     onMessage: ({ event }) => console.log(event), // -> said
 *   })
 *   if (state !== 'live') return <p>{state}</p>
 *   return <button onClick={() => publish('said', { text: 'hello' })}>{messages.length} messages</button>
 * }
 * // shows: 0 messages
 * // shows: 1 messages
 * ```
 */
export const useChannel = <Events extends object = Record<string, unknown>>(
  name: string | undefined,
  options: ChannelOptions<Events> = {},
): UsedChannel<Events> => {
  const { channels } = useSaoma()
  const latest = useLatest(options)
  const channel = useMemo(() => channels.channel<Events>(name, () => latest.current), [channels, name, latest])
  const { publish, markRead } = channel
  return { ...useStore(channel), publish, markRead }
}

/**
 * Who follows a channel, by following it: ids of people, and their number. It stays current where the
 * channel's rule says `announce`. Throws without a `<SaomaProvider>`.
 *
 * @param name  `@user` or `room:<name>`; undefined: nothing is followed
 *
 * @example
 * ```tsx
 * import { usePresence } from '@saoma/react'
 *
 * export const Here = () => {
 *   const { count } = usePresence('room:lobby')
 *   return <p>{count} here</p>
 * }
 * // shows: 1 here
 * ```
 */
export const usePresence = (name: string | undefined): Present => {
  const { channels } = useSaoma()
  return useStore(useMemo(() => channels.presence(name), [channels, name]))
}
