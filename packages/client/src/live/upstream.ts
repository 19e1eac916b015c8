import {
  type Inbox,
  type Presence,
  type Publication,
  type Published,
  parseInbox,
  parsePresence,
  parsePublished,
  type Subscribed,
  type SubscribeRequest,
} from '@saoma/protocol'
import type { Transports } from '../core/connection.ts'
import type { Page } from '../core/page.ts'
import type { Answer, Failure } from '../core/request.ts'
import type { Tokens } from '../core/tokens.ts'
import { catchUp } from './catch-up.ts'
import { createHttpDoor } from './http-door.ts'
import type { HttpWay } from './http-follow.ts'
import { createLiveApi } from './live-api.ts'
import type { Followed } from './room.ts'
import { createSocketDoor } from './socket-door.ts'

/**
 * How messages arrive: by `socket`; where no socket gets through, by event `stream` or long `poll`; or not at
 * the moment. `ended`: it was closed, or the server refuses us for good; there are no further tries.
 */
export type LiveState = 'connecting' | 'socket' | 'stream' | 'poll' | 'reconnecting' | 'offline' | 'ended'

/** A way of a connection: Socket.IO, an event stream, or long polls. */
export type Door = 'socket' | HttpWay

export const isUp = (state: LiveState): boolean => state === 'socket' || state === 'stream' || state === 'poll'

/**
 * What a live connection needs of the connection that carries its rooms. Each request is sent once; the
 * answer says whether to retry.
 */
export interface Link {
  /** A room was opened. */
  join(room: Followed): void
  /** A room was closed. */
  leave(room: Followed): void
  publish(publication: Publication): Promise<Answer<Published>>
  presence(channel: string): Promise<Answer<Presence>>
  markRead(channel: string, offset: number): Promise<Answer<Inbox>>
  close(): void
}

/** What a link reports to its live connection, and needs from it. */
export interface Linked {
  /** Returns all open rooms. */
  rooms: () => Iterable<Followed>
  /** `connecting` also after it was connected before. */
  onState: (state: LiveState) => void
  /** The server refuses us for good. */
  onEnd: (failure: Failure) => void
  /** Each failure, also those that are retried. */
  onFailure: (failure: Failure) => void
}

export interface UpstreamOptions extends Linked {
  /** Saoma's origin, without a slash at the end. */
  origin: string
  tokens: Tokens
  doors: readonly Door[]
  transports: Transports
  fetch: typeof fetch
  page: Page
  random: () => number
}

/** This tab's own connection to the server. */
export interface Upstream extends Link {
  /** Reads what came after the request's position, without following. */
  catchUp(request: SubscribeRequest): Promise<Answer<Subscribed>>
  /** Retries now: the page is visible. */
  wake(): void
}

/** How long the socket may be away before plain HTTP takes over. */
const SOCKET_PATIENCE_MS = 2_500

export const createUpstream = (options: UpstreamOptions): Upstream => {
  const { origin, doors, transports, tokens, page, random, rooms, onFailure } = options
  const closing = new AbortController()
  const { signal } = closing
  const usesSocket = doors.includes('socket') && transports.length > 0
  let way: HttpWay | undefined
  let patience: ReturnType<typeof setTimeout> | undefined
  let changed = false

  const report = () => {
    if (signal.aborted) return
    options.onState(page.online ? (socket.up ? 'socket' : (way ?? 'connecting')) : 'offline')
  }

  const api = createLiveApi({ origin, fetch: options.fetch, tokens })

  const http = createHttpDoor({
    api,
    ways: doors.filter((door) => door !== 'socket'),
    random,
    rooms,
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
    rooms,
    onUp: (up) => {
      if (up) {
        clearTimeout(patience)
        http.stop()
      } else {
        waitForSocket()
      }
      report()
    },
    onEnd: options.onEnd,
    onFailure,
  })

  const wake = () => {
    socket.wake()
    http.restart()
  }

  const unlisten = page.onChange(() => {
    report()
    if (page.online && !page.hidden) wake()
  })

  /** Called once for all rooms that come and go in one turn. */
  const roomsChanged = () => {
    if (changed) return
    changed = true
    queueMicrotask(() => {
      changed = false
      http.restart()
    })
  }

  if (usesSocket) waitForSocket()
  else http.start()

  return {
    join: (room) => {
      socket.join(room)
      roomsChanged()
    },
    leave: (room) => {
      socket.leave(room)
      roomsChanged()
    },
    publish: (publication) =>
      socket.up ? socket.ask('publish', publication, parsePublished) : api.publish(publication, signal),
    presence: (channel) =>
      socket.up ? socket.ask('presence', { channel }, parsePresence) : api.presence(channel, signal),
    markRead: (channel, offset) =>
      socket.up ? socket.ask('read', { channel, offset }, parseInbox) : api.markRead(channel, offset, signal),
    catchUp: (request) => catchUp(api, request, signal),
    wake,
    close: () => {
      closing.abort()
      clearTimeout(patience)
      socket.close()
      http.stop()
      unlisten()
    },
  }
}
