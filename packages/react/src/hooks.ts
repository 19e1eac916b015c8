import type { Session } from '@saoma/client'
import type { Channel, ChannelOptions, ChannelState, Present, SessionState, Store } from '@saoma/client/components'
import { useMemo, useSyncExternalStore } from 'react'
import { useLatest } from './latest.ts'
import { useSaoma } from './provider.ts'

const useStore = <T>({ subscribe, read, blank }: Store<T>): T => useSyncExternalStore(subscribe, read, () => blank)

/** Who is logged in, and what can be done with the session. */
export type UsedSession = SessionState & Pick<Session, 'accessToken' | 'logout'>

/** `status` is `unknown` on a server and while its page is hydrated. */
export const useSession = (): UsedSession => {
  const { session, sessionStore } = useSaoma()
  const { accessToken, logout } = session
  return { ...useStore(sessionStore), accessToken, logout }
}

export type UsedChannel<Events extends object> = ChannelState<Events> & Pick<Channel<Events>, 'publish' | 'markRead'>

/**
 * Follows a channel while the component is mounted: `@user` or `room:<name>`. Before somebody is logged in,
 * and after that, its state is `idle` and its list is empty.
 *
 * @param name  undefined: nothing is followed
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

/** Who follows a channel, by following it. It stays current where the channel's rule says `announce`. */
export const usePresence = (name: string | undefined): Present => {
  const { channels } = useSaoma()
  return useStore(useMemo(() => channels.presence(name), [channels, name]))
}
