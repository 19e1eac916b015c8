import type { Session } from '@saoma/client'
import type { Channel, ChannelOptions, ChannelState, Present, SessionState, Store } from '@saoma/client/components'
import {
  type ComputedRef,
  computed,
  getCurrentInstance,
  type MaybeRefOrGetter,
  onMounted,
  onScopeDispose,
  type ShallowRef,
  shallowRef,
  toValue,
  watch,
} from 'vue'
import { useSaoma } from './plugin.ts'

/** A member of the state as a ref of its own, so that components can take the state apart. */
type Refs<State> = { readonly [K in keyof State]: ComputedRef<State[K]> }

const useStore = <T>(store: () => Store<T>): Readonly<ShallowRef<T>> => {
  const instance = getCurrentInstance()
  // A component has an element in its setup only while it is hydrated. What it renders first has to be what
  // the server has rendered.
  const isBlank = !('document' in globalThis) || Boolean(instance?.vnode.el)
  const value = shallowRef<T>() as ShallowRef<T>
  value.value = isBlank ? store().blank : store().read()
  let leave = () => {}

  const follow = () => {
    leave()
    const { read, subscribe } = store()
    const show = () => {
      value.value = read()
    }
    leave = subscribe(show)
    show()
  }

  watch(store, follow)
  // A server mounts nothing, and so follows nothing.
  if (instance) onMounted(follow)
  else if (!isBlank) follow()
  onScopeDispose(() => leave())
  return value
}

/** Who is logged in, and what can be done with the session. */
export type UsedSession = Refs<SessionState> & Pick<Session, 'accessToken' | 'userinfo' | 'logout'>

/**
 * Who is logged in, and what can be done with the session. `status` is `unknown` on a server and while its
 * page is hydrated. `person` has the claims of the id token, NOT verified: for display, not for decisions.
 * Throws without the plugin of `createSaoma`.
 *
 * @example
 * ```vue
 * <script setup lang="ts">
 * import { useSession } from '@saoma/vue'
 *
 * const { status, person, logout } = useSession()
 * </script>
 *
 * <template>
 *   <button v-if="status === 'in'" @click="logout">Log {{ person?.name }} out</button>
 *   <p v-if="status === 'out'">Nobody is logged in.</p>
 * </template>
 * <!-- shows: Log Ann out -->
 * <!-- shows: Nobody is logged in. -->
 * ```
 */
export const useSession = (): UsedSession => {
  const { session, sessionStore } = useSaoma()
  const state = useStore(() => sessionStore)
  const { accessToken, userinfo, logout } = session
  return {
    status: computed(() => state.value.status),
    person: computed(() => state.value.person),
    accessToken,
    userinfo,
    logout,
  }
}

/** The state of a channel as refs, and what can be done with it. */
export type UsedChannel<Events extends object> = Refs<ChannelState<Events>> &
  Pick<Channel<Events>, 'publish' | 'markRead'>

/**
 * Follows a channel while the component is mounted: `@user` or `room:<name>`. Before somebody is logged in,
 * and after that, its state is `idle` and its list is empty. `messages` has the newest, the oldest first. A
 * server that does not let us follow makes the state `refused`; `failure` says why. Throws without the
 * plugin of `createSaoma`.
 *
 * @param name  undefined: nothing is followed. A ref or a getter may change it
 * @param options  how to begin, and listeners
 *
 * @example
 * ```vue
 * <script setup lang="ts">
 * import { useChannel } from '@saoma/vue'
 *
 * const { state, messages, publish } = useChannel<{ said: { text: string } }>('room:lobby', {
 *   onMessage: ({ event }) => console.log(event), // -> said
 * })
 * </script>
 *
 * <template>
 *   <button v-if="state === 'live'" @click="publish('said', { text: 'hello' })">
 *     {{ messages.length }} messages
 *   </button>
 * </template>
 * <!-- shows: 0 messages -->
 * <!-- shows: 1 messages -->
 * ```
 */
export const useChannel = <Events extends object = Record<string, unknown>>(
  name: MaybeRefOrGetter<string | undefined>,
  options: MaybeRefOrGetter<ChannelOptions<Events>> = {},
): UsedChannel<Events> => {
  const { channels } = useSaoma()
  const called = computed(() => toValue(name))
  const channel = computed(() => channels.channel<Events>(called.value, () => toValue(options)))
  const state = useStore(() => channel.value)
  return {
    state: computed(() => state.value.state),
    messages: computed(() => state.value.messages),
    inbox: computed(() => state.value.inbox),
    failure: computed(() => state.value.failure),
    publish: (event, data, how) => channel.value.publish(event, data, how),
    markRead: (offset) => channel.value.markRead(offset),
  }
}

/**
 * Who follows a channel, by following it: ids of people, and their number. It stays current where the
 * channel's rule says `announce`. Throws without the plugin of `createSaoma`.
 *
 * @param name  `@user` or `room:<name>`; undefined: nothing is followed
 *
 * @example
 * ```vue
 * <script setup lang="ts">
 * import { usePresence } from '@saoma/vue'
 *
 * const { count } = usePresence('room:lobby')
 * </script>
 *
 * <template>
 *   <p>{{ count }} here</p>
 * </template>
 * <!-- shows: 1 here -->
 * ```
 */
export const usePresence = (name: MaybeRefOrGetter<string | undefined>): Refs<Present> => {
  const { channels } = useSaoma()
  const called = computed(() => toValue(name))
  const store = computed(() => channels.presence(called.value))
  const state = useStore(() => store.value)
  return { users: computed(() => state.value.users), count: computed(() => state.value.count) }
}
