import type { Session } from '@saoma/client'
import {
  type Channels,
  type ChannelsOptions,
  createChannels,
  createSessionStore,
  type SessionState,
  type Store,
} from '@saoma/client/components'
import { type App, type InjectionKey, inject } from 'vue'

/** Where the components log in and connect, and for whom. Other options are those of `createLive`. */
export interface SaomaOptions extends Omit<ChannelsOptions, 'session'> {
  /** `createSession({ origin })` */
  session: Session
}

/** What the components of an application share. */
export interface Saoma {
  readonly origin: string
  readonly session: Session
  readonly sessionStore: Store<SessionState>
  readonly channels: Channels
}

const KEY: InjectionKey<Saoma> = Symbol('saoma')

/**
 * A plugin that gives all components of an application one session and one live connection. It does nothing
 * by itself: the connection is there while somebody is logged in and a component follows a channel.
 *
 * @example
 * ```ts
 * import { createSession } from '@saoma/client'
 * import { createSaoma, SaomaLogin } from '@saoma/vue'
 * import { createApp } from 'vue'
 *
 * const origin = 'https://login.example.com'
 * const session = createSession({ origin })
 * session.on('changed', (tokens) => console.log(tokens.token_type)) // -> Bearer
 * createApp(SaomaLogin).use(createSaoma({ origin, session })).mount('#app')
 * // shows: You are logged in
 * ```
 */
export const createSaoma = (options: SaomaOptions): { install(app: App): void } => {
  const { origin, session } = options
  // Neither does anything before a component subscribes.
  const saoma: Saoma = {
    origin,
    session,
    sessionStore: createSessionStore(session),
    channels: createChannels(options),
  }
  return { install: (app) => void app.provide(KEY, saoma) }
}

/** Undefined without the plugin. */
export const useOptionalSaoma = (): Saoma | undefined => inject<Saoma | undefined>(KEY, undefined)

export const useSaoma = (): Saoma => {
  const saoma = useOptionalSaoma()
  if (!saoma) throw new Error('This application does not use the plugin: app.use(createSaoma({ origin, session })).')
  return saoma
}
