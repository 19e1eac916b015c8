import type { Inbox } from '@saoma/protocol'
import { backoffMs } from '../core/backoff.ts'
import { decodeClaims } from '../core/claims.ts'
import { type Answer, type Failure, failureFor } from '../core/request.ts'
import type { Store } from '../core/store.ts'
import type { TokenSession } from '../core/tokens.ts'
import {
  type ChannelOptions,
  type ChannelState,
  type ChannelStore,
  createChannelStore,
  IDLE,
  NOBODY,
  type Present,
} from './channel-store.ts'
import { createLive, type Live, type LiveOptions } from './live.ts'
import type { Room } from './room.ts'
import { isUp } from './upstream.ts'

/** The part of a `Session` that is used here. */
export interface ChannelsSession extends TokenSession {
  readonly tokens: { access_token: string } | undefined
  recheck(why?: Pick<Failure, 'ended'>): Promise<unknown>
  on(event: 'changed' | 'ended', listener: () => void): () => void
}

/** Options of `createLive`, and what components need besides. */
export interface ChannelsOptions extends Omit<LiveOptions, 'token'> {
  /** Whose channels they are, from login to login. */
  session: ChannelsSession
  /** How many messages of a channel are held for components that show them. @default 200 */
  keep?: number
  /** Each failure, also those that are retried. For logs. */
  onError?: (failure: Failure) => void
}

/** One channel for one component. */
export interface Channel<Events extends object = Record<string, unknown>> extends Store<ChannelState<Events>> {
  /**
   * Publishes into the channel, like `publish` of a room. `UNAUTHORIZED` if nobody is logged in, or no
   * channel is followed.
   */
  publish: Room<Events>['publish']
  /** For a person's own channel: marks everything up to `offset` as read. @default the present position */
  markRead(offset?: number): Promise<Answer<Inbox>>
}

/**
 * The live channels of a page that is made of components. Each component follows what it shows, by
 * `subscribe`. However many follow a channel, the server sees one. The connection is there while somebody is
 * logged in and something is followed. It needs no `close`.
 *
 * A component that leaves and one that comes in the same turn do not interrupt the channel: what they want is
 * done when the turn is over.
 */
export interface Channels {
  /**
   * @param name     undefined: nothing is followed
   * @param options  read anew for every event
   */
  channel<Events extends object = Record<string, unknown>>(
    name: string | undefined,
    options?: () => ChannelOptions<Events>,
  ): Channel<Events>
  /** Who follows the channel, by following it. It stays current where the channel's rule says `announce`. */
  presence(name: string | undefined): Store<Present>
}

const KEEP = 200

/** Pauses before a connection that has ended is made again, while the session stands. */
const AGAIN = { baseMs: 1_000, capMs: 60_000 }

const noOptions = () => ({})

/**
 * Makes the live channels of a page that is made of components. It does nothing before a component
 * subscribes.
 *
 * @example
 * ```ts
 * import { createSession } from '@saoma/client'
 * import { createChannels } from '@saoma/client/components'
 *
 * const origin = 'https://login.example.com'
 * const channels = createChannels({ origin, session: createSession({ origin }) })
 * const hall = channels.channel<{ said: { text: string } }>('room:hall', () => ({
 *   history: 20,
 *   onMessage: ({ data }) => console.log(data.text), // -> hello
 * }))
 * const inbox = channels.channel('@user', () => ({ onMessage: () => inbox.markRead() }))
 * const present = channels.presence('room:hall')
 * const show = () => {
 *   document.body.textContent = `${hall.read().messages.length} message, ${present.read().count} here`
 * }
 * for (const store of [hall, inbox, present]) store.subscribe(show)
 * await hall.publish('said', { text: 'hello' })
 * // shows: 1 message, 1 here
 * ```
 */
export const createChannels = (options: ChannelsOptions): Channels => {
  const { session, keep = KEEP, onError, ...liveOptions } = options
  const stores = new Map<string, ChannelStore>()
  let live: Live | undefined
  /** The session whose messages are held. */
  let sid: string | undefined
  let unlisten: (() => void) | undefined
  let settling = false
  let again: ReturnType<typeof setTimeout> | undefined
  /** How often the connection has ended since it was up. */
  let endings = 0

  const disconnect = (forget: boolean) => {
    clearTimeout(again)
    const was = live
    live = undefined
    for (const store of stores.values()) store.leave(forget)
    was?.close()
  }

  const connect = (): Live => {
    const opened = createLive({ ...liveOptions, token: session })
    if (onError) opened.on('error', onError)
    opened.on('ended', async (why) => {
      if (live !== opened || !session.tokens) return
      await session.recheck(why)
      if (live !== opened) return
      disconnect(false)
      // The session stands, so something in between refuses, such as the page of a captive portal.
      if (session.tokens) again = setTimeout(settle, backoffMs(endings++, AGAIN))
    })
    opened.on('state', (state) => {
      if (isUp(state)) endings = 0
    })
    return opened
  }

  const listen = (): (() => void) => {
    const stops = [session.on('changed', settle), session.on('ended', settle)]
    return () => {
      for (const stop of stops) stop()
    }
  }

  /** Makes it so as components and session want it. */
  const settle = () => {
    for (const [name, store] of stores) {
      if (store.isFollowed) continue
      stores.delete(name)
      store.leave(true)
    }
    if (stores.size === 0) {
      unlisten?.()
      unlisten = undefined
      return disconnect(true)
    }
    unlisten ??= listen()
    const { tokens } = session
    const now = decodeClaims(tokens?.access_token)?.sid
    // Whatever is held belongs to the person before.
    if (!tokens || now !== sid) disconnect(true)
    sid = now
    if (!tokens) return
    live ??= connect()
    for (const store of stores.values()) store.open(live)
  }

  const soon = () => {
    if (settling) return
    settling = true
    queueMicrotask(() => {
      settling = false
      settle()
    })
  }

  const follow = (name: string | undefined, options: () => ChannelOptions, presence: boolean, onChange: () => void) => {
    if (name === undefined) return () => {}
    const store = stores.get(name) ?? createChannelStore(name, keep)
    stores.set(name, store)
    const leave = store.follow({ options, presence, onChange })
    soon()
    return () => {
      leave()
      soon()
    }
  }

  const storeOf = (name: string | undefined) => (name === undefined ? undefined : stores.get(name))

  const channel = (name: string | undefined, options: () => ChannelOptions = noOptions): Channel => ({
    blank: IDLE,
    read: () => storeOf(name)?.state ?? IDLE,
    subscribe: (listener) => follow(name, options, false, listener),
    publish: async (event, data, how) => {
      // A component may publish in the turn in which it comes. The connection is made at the end of that.
      await Promise.resolve()
      if (name === undefined || !live) return failureFor('UNAUTHORIZED')
      return live.publish({ channel: name, event, data, ...how })
    },
    markRead: async (offset) => storeOf(name)?.markRead(offset) ?? failureFor('UNAUTHORIZED'),
  })

  return {
    // The caller declares the events of a channel.
    channel: channel as never,
    presence: (name) => ({
      blank: NOBODY,
      read: () => storeOf(name)?.present ?? NOBODY,
      subscribe: (listener) => follow(name, noOptions, true, listener),
    }),
  }
}
