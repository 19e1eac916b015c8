import type { Inbox, Presence, Publication, Published } from '@saoma/protocol'
import { notCarried } from '../core/carried.ts'
import type { Transports } from '../core/connection.ts'
import { createEmitter, type Listenable } from '../core/emitter.ts'
import { browserPage, type Page } from '../core/page.ts'
import { type Answer, type Failure, failureFor } from '../core/request.ts'
import { drawKey, retry } from '../core/retry.ts'
import { createStored, type KeyValue } from '../core/storage.ts'
import { createTokens, type TokenSession, type TokenSource } from '../core/tokens.ts'
import { createRoom, type Followed, type Room, type RoomOptions } from './room.ts'
import { createShared, isShareable } from './shared.ts'
import { createUpstream, type Door, isUp, type LiveState } from './upstream.ts'

export type { Door, LiveState } from './upstream.ts'

/** Where a live connection goes, and for whom. */
export interface LiveOptions {
  /** Saoma's origin, without a path. */
  origin: string
  /**
   * Authentication: a session of `createSession` (the connection ends with it), a function that returns a
   * token, or a token, which is used until it expires.
   */
  token: TokenSession | TokenSource
  /**
   * Doors in the order of preference; the socket always comes first.
   * @default ['socket', 'stream', 'poll']
   */
  doors?: readonly Door[]
  /**
   * Socket.IO transports, by name or as classes, in the order of preference.
   * @default ['websocket', 'polling']
   */
  transports?: Transports
  /**
   * One connection for all tabs of a browser with the same person and the same options. One tab leads and
   * connects. When it closes, another tab takes over and continues from each tab's position. Without Web
   * Locks, BroadcastChannel or a readable token each tab connects itself.
   * @default true in a browser's page
   */
  shared?: boolean
  /**
   * Where positions are stored, so that a reload misses nothing; `sessionStorage` suits a tab.
   * @default nowhere
   */
  positions?: KeyValue
  fetch?: typeof fetch
  /** @default the browser's page */
  page?: Page
  /** Returns `[0, 1)`; for the jitter of retries. */
  random?: () => number
}

/** Events of a live connection. */
export interface LiveEvents {
  state: LiveState
  /** Why the server, or the session, ended the connection. */
  ended: Failure
  /** Each failure, also those that are retried. For logs. */
  error: Failure
}

/**
 * A live connection. It connects at once and reconnects after every loss. Rooms continue from their
 * positions, by any door.
 */
export interface Live extends Listenable<LiveEvents> {
  readonly state: LiveState
  /**
   * Opens a channel: `@user` or `room:<name>`. If it is open already, the same room is returned; closing it
   * closes it for all callers.
   */
  channel<Events extends object = Record<string, unknown>>(name: string, options?: RoomOptions): Room<Events>
  /**
   * Publishes exactly once, with retries by socket or HTTP for at most 30 s. If the order of messages
   * matters, await each one before the next. A volatile message is sent only once.
   */
  publish(publication: Publication): Promise<Answer<Published>>
  /** Stops everything. Stored positions are kept. */
  close(): void
}

/** Well below the ten minutes for which the server remembers a key. */
const PUBLISH_WITHIN_MS = 30_000
const ASK_WITHIN_MS = 10_000

/**
 * Opens a live connection. It connects at once, and reconnects after every loss with back-off, until
 * `close`, or until the server or the session ends it. Failures are events, and answers of methods; nothing
 * rejects.
 *
 * @example
 * ```ts
 * import { createLive, createSession } from '@saoma/client'
 *
 * const origin = 'https://login.example.com'
 * const session = createSession({ origin })
 * const live = createLive({ origin, token: session })
 * live.on('ended', () => session.recheck())
 *
 * const room = live.channel<{ said: { text: string } }>('room:lobby', { history: 20 })
 * room.on('message', async ({ data }) => {
 *   console.log(data.text) // -> hello
 *   const here = await room.presence()
 *   console.log(here.ok) // -> true
 * })
 * const answer = await room.publish('said', { text: 'hello' })
 * console.log(answer.ok && answer.value.offset) // -> 1
 *
 * const inbox = live.channel('@user')
 * inbox.on('inbox', ({ unread }) => console.log(unread)) // -> 0
 * export const markAsRead = () => inbox.read()
 * export const leave = () => live.close()
 * ```
 */
export const createLive = (options: LiveOptions): Live => {
  const { random = Math.random, transports = ['websocket', 'polling'], doors = ['socket', 'stream', 'poll'] } = options
  const origin = options.origin.replace(/\/+$/, '')
  const page = options.page ?? browserPage()
  const { token, positions } = options
  const events = createEmitter<LiveEvents>()
  const closing = new AbortController()
  const rooms = new Map<string, { room: Room; followed: Followed }>()
  let state: LiveState = 'connecting'
  let everUp = false
  let failure: Failure = { ok: false, code: 'CLOSED', react: 'stop', message: 'This connection was closed.' }

  const followed = function* () {
    for (const each of rooms.values()) yield each.followed
  }

  const enter = (given: LiveState) => {
    everUp ||= isUp(given)
    const next = given === 'connecting' && everUp ? 'reconnecting' : given
    if (next === state) return
    state = next
    events.emit('state', next)
  }

  const stop = () => {
    closing.abort()
    link.close()
    unlistenSession()
  }

  const end = (why: Failure, isTold = events.isHeard('ended')) => {
    if (closing.signal.aborted) return
    failure = why
    stop()
    for (const each of [...followed()]) each.refuse(why, isTold)
    enter('ended')
    events.emit('ended', why)
  }

  const onFailure = (each: Failure) => {
    if (!closing.signal.aborted) events.emit('error', each)
  }

  const session = typeof token === 'object' && token !== null ? token : undefined
  const source: TokenSource =
    typeof token === 'object' && token !== null ? ({ renew }) => (renew ? token.refresh() : token.accessToken()) : token
  const tokens = createTokens(source, end)
  const linked = { rooms: followed, onState: enter, onEnd: end, onFailure }
  const fetch = options.fetch ?? globalThis.fetch
  const upstream = { ...linked, origin, tokens, doors, transports, fetch, page, random }
  const link = isShareable(options.shared) ? createShared(upstream) : createUpstream(upstream)

  const unlistenSession = session?.on('ended', () => end(failureFor('UNAUTHORIZED'), true)) ?? (() => {})

  const ask = <T>(withinMs: number, once: () => Promise<Answer<T>>): Promise<Answer<T>> => {
    const attempt = async () => {
      if (closing.signal.aborted) return failure
      const answer = await once()
      if (!answer.ok) onFailure(answer)
      return answer
    }
    return retry(attempt, { withinMs, random, signal: closing.signal })
  }

  const publish = async (publication: Publication): Promise<Answer<Published>> => {
    const wrong = notCarried(publication.data)
    if (wrong) return wrong
    if (publication.volatile) return ask(0, () => link.publish(publication))
    const once = { ...publication, idempotencyKey: publication.idempotencyKey ?? drawKey() }
    return ask(PUBLISH_WITHIN_MS, () => link.publish(once))
  }

  const presence = (channel: string): Promise<Answer<Presence>> => ask(ASK_WITHIN_MS, () => link.presence(channel))

  const markRead = (channel: string, offset: number): Promise<Answer<Inbox>> =>
    ask(ASK_WITHIN_MS, () => link.markRead(channel, offset))

  const open = (channel: string, roomOptions: RoomOptions): Room => {
    const made = createRoom(channel, roomOptions, {
      stored: positions && createStored(positions, `saoma:live:${origin}:${channel}`),
      publish: (event, data, how) => publish({ channel, event, data, ...how }),
      presence: () => presence(channel),
      markRead: (offset) => markRead(channel, offset),
      onClose: () => {
        if (rooms.get(channel) === made) rooms.delete(channel)
        link.leave(made.followed)
      },
    })
    rooms.set(channel, made)
    queueMicrotask(() => {
      if (closing.signal.aborted) made.followed.refuse(failure)
      else if (made.followed.open) link.join(made.followed)
    })
    return made.room
  }

  return {
    get state() {
      return state
    },
    on: events.on,
    // The caller declares the events of a channel.
    channel: (name, roomOptions = {}) => (rooms.get(name)?.room ?? open(name, roomOptions)) as never,
    publish,
    close: () => {
      if (closing.signal.aborted) return
      stop()
      for (const { room } of [...rooms.values()]) room.close()
      enter('ended')
    },
  }
}
