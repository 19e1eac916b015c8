import {
  type Inbox,
  type Presence,
  type Publication,
  type Published,
  parseInbox,
  parsePresence,
  parsePublished,
} from '@saoma/protocol'
import { notCarried } from './carried.ts'
import type { Transports } from './connection.ts'
import { createEmitter, type Listenable } from './emitter.ts'
import { createHttpDoor } from './http-door.ts'
import type { HttpWay } from './http-follow.ts'
import { createLiveApi } from './live-api.ts'
import { browserPage, type Page } from './page.ts'
import { type Answer, type Failure, failureFor } from './request.ts'
import { drawKey, retry } from './retry.ts'
import { createRoom, type Followed, type Room, type RoomOptions } from './room.ts'
import type { Session } from './session.ts'
import { createSocketDoor } from './socket-door.ts'
import { createStored, type KeyValue } from './storage.ts'
import { createTokens, type TokenSource } from './tokens.ts'

/**
 * How messages come: by `socket`; where no socket gets through, by event `stream` or long `poll`; or not at the moment. `ended`: it was
 * closed, or the server will not have us any more, and nothing more is tried.
 */
export type LiveState = 'connecting' | 'socket' | 'stream' | 'poll' | 'reconnecting' | 'offline' | 'ended'

export type Door = 'socket' | HttpWay

export interface LiveOptions {
  /** Where Saoma is, without a path. */
  origin: string
  /** Says who we are: a session of `createSession`, with whose end we end, a function that gives a token, or a token, which lasts as long as it does. */
  token: Pick<Session, 'accessToken' | 'refresh' | 'on'> | TokenSource
  /** In the order they are preferred; the socket, if it is there, comes first. @default ['socket', 'stream', 'poll'] */
  doors?: readonly Door[]
  /** Socket.IO transports, by name or as classes, in the order they are tried. @default ['websocket', 'polling'] */
  transports?: Transports
  /** Where positions outlive a reload, so that it misses nothing; `sessionStorage` suits a tab. @default nowhere */
  positions?: KeyValue
  fetch?: typeof fetch
  /** @default the browser's page */
  page?: Page
  /** Gives `[0, 1)`; for the jitter of retries. */
  random?: () => number
}

export interface LiveEvents {
  state: LiveState
  /** Why the server, or the session, has ended it. */
  ended: Failure
  /** Each thing that failed, also those that are tried again. For logs. */
  error: Failure
}

/** A live connection. It connects at once, and again after every loss; rooms go on where they were, by whatever door. */
export interface Live extends Listenable<LiveEvents> {
  readonly state: LiveState
  /** Opens a channel: `@user` or `room:<name>`. One that is open already is given again; it closes once for all. */
  channel<Events extends object = Record<string, unknown>>(name: string, options?: RoomOptions): Room<Events>
  /**
   * Publishes once, however often it has to be sent: by socket or by HTTP, for 30 s at most. Await one before the next where their order
   * matters. A volatile message is sent one time.
   */
  publish(publication: Publication): Promise<Answer<Published>>
  /** Stops everything. Positions that are kept stay. */
  close(): void
}

/** How long we do without the socket before plain HTTP stands in. */
const SOCKET_PATIENCE_MS = 2_500
/** Well inside the ten minutes for which the server remembers a key. */
const PUBLISH_WITHIN_MS = 30_000
const ASK_WITHIN_MS = 10_000

export const createLive = (options: LiveOptions): Live => {
  const { random = Math.random, transports = ['websocket', 'polling'], doors = ['socket', 'stream', 'poll'] } = options
  const origin = options.origin.replace(/\/+$/, '')
  const page = options.page ?? browserPage()
  const { token, positions } = options
  const events = createEmitter<LiveEvents>()
  const closing = new AbortController()
  const rooms = new Map<string, { room: Room; followed: Followed }>()
  const usesSocket = doors.includes('socket') && transports.length > 0
  let state: LiveState = 'connecting'
  let way: HttpWay | undefined
  let patience: ReturnType<typeof setTimeout> | undefined
  let everUp = false
  let changed = false
  let failure: Failure = { ok: false, code: 'CLOSED', react: 'stop', message: 'This connection was closed.' }

  const followed = function* () {
    for (const each of rooms.values()) yield each.followed
  }

  const enter = (next: LiveState) => {
    if (next === state) return
    state = next
    events.emit('state', next)
  }

  const report = () => {
    if (closing.signal.aborted) return
    const door = socket.up ? 'socket' : way
    everUp ||= door !== undefined
    enter(page.online ? (door ?? (everUp ? 'reconnecting' : 'connecting')) : 'offline')
  }

  const stop = () => {
    closing.abort()
    clearTimeout(patience)
    socket.close()
    http.stop()
    unlisten()
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
  const api = createLiveApi({ origin, fetch: options.fetch ?? globalThis.fetch, tokens })

  const http = createHttpDoor({
    api,
    ways: doors.filter((door) => door !== 'socket'),
    random,
    rooms: followed,
    onFailure,
    onWay: (next) => {
      way = next
      report()
    },
  })

  const waitForSocket = () => {
    clearTimeout(patience)
    patience = setTimeout(http.start, SOCKET_PATIENCE_MS)
  }

  const socket = createSocketDoor({
    origin,
    transports: usesSocket ? transports : [],
    random,
    tokens,
    rooms: followed,
    onUp: (up) => {
      if (up) {
        clearTimeout(patience)
        http.stop()
      } else {
        waitForSocket()
      }
      report()
    },
    onEnd: end,
    onFailure,
  })

  const unlisten = page.onChange(() => {
    report()
    if (!page.online || page.hidden) return
    socket.wake()
    http.restart()
  })
  const unlistenSession = session?.on('ended', () => end(failureFor('UNAUTHORIZED'), true)) ?? (() => {})

  /** Once for all rooms that come and go in one turn. */
  const roomsChanged = () => {
    if (changed) return
    changed = true
    queueMicrotask(() => {
      changed = false
      http.restart()
    })
  }

  const ask = async <T>(
    withinMs: number,
    bySocket: () => Promise<Answer<T>>,
    byHttp: () => Promise<Answer<T>>,
  ): Promise<Answer<T>> => {
    if (closing.signal.aborted) return failure
    const attempt = async () => {
      const answer = await (socket.up ? bySocket() : byHttp())
      if (!answer.ok) onFailure(answer)
      return answer
    }
    return retry(attempt, { withinMs, random, signal: closing.signal })
  }

  const publish = async (publication: Publication): Promise<Answer<Published>> => {
    const wrong = notCarried(publication.data)
    if (wrong) return wrong
    const once = publication.volatile
      ? publication
      : { ...publication, idempotencyKey: publication.idempotencyKey ?? drawKey() }
    return ask(
      publication.volatile ? 0 : PUBLISH_WITHIN_MS,
      () => socket.ask('publish', once, parsePublished),
      () => api.publish(once, closing.signal),
    )
  }

  const presence = (channel: string): Promise<Answer<Presence>> =>
    ask(
      ASK_WITHIN_MS,
      () => socket.ask('presence', { channel }, parsePresence),
      () => api.presence(channel, closing.signal),
    )

  const markRead = (channel: string, offset: number): Promise<Answer<Inbox>> =>
    ask(
      ASK_WITHIN_MS,
      () => socket.ask('read', { channel, offset }, parseInbox),
      () => api.markRead(channel, offset, closing.signal),
    )

  const open = (channel: string, roomOptions: RoomOptions): Room => {
    const made = createRoom(channel, roomOptions, {
      stored: positions && createStored(positions, `saoma:live:${origin}:${channel}`),
      publish: (event, data, how) => publish({ channel, event, data, ...how }),
      presence: () => presence(channel),
      markRead: (offset) => markRead(channel, offset),
      onClose: () => {
        if (rooms.get(channel) === made) rooms.delete(channel)
        socket.leave(made.followed)
        roomsChanged()
      },
    })
    rooms.set(channel, made)
    roomsChanged()
    queueMicrotask(() => {
      if (closing.signal.aborted) made.followed.refuse(failure)
      else if (made.followed.open) socket.join(made.followed)
    })
    return made.room
  }

  if (usesSocket) waitForSocket()
  else http.start()

  return {
    get state() {
      return state
    },
    on: events.on,
    // What events a channel has is the caller's word.
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
