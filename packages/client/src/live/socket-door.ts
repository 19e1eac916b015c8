import { type LiveClientEvents, ok, parseSubscribed, type Result } from '@saoma/protocol'
import type { Socket } from 'socket.io-client'
import { backoffMs, pause } from '../core/backoff.ts'
import { createConnection, type Transports } from '../core/connection.ts'
import { type Answer, type Failure, failureFor, unanswered } from '../core/request.ts'
import type { Tokens } from '../core/tokens.ts'
import { askSocket, failureOf, isRefusal, type LiveSocket } from './ask-socket.ts'
import { isSame } from './channel-name.ts'
import { createDispatch, TOLD } from './dispatch.ts'
import type { Followed } from './room.ts'

export interface SocketDoorOptions {
  origin: string
  transports: Transports
  random: () => number
  tokens: Tokens
  /** All rooms that are open, whenever they are asked for. */
  rooms: () => Iterable<Followed>
  /** Whether the server has let us in and we still hear it. */
  onUp: (up: boolean) => void
  /** The server will not have us, now or later. */
  onEnd: (failure: Failure) => void
  onFailure: (failure: Failure) => void
}

type Request<E extends keyof LiveClientEvents> = Parameters<LiveClientEvents[E]>[0]

/** Follows the rooms over Socket.IO. */
export interface SocketDoor {
  readonly up: boolean
  /** A room was opened. */
  join(room: Followed): void
  /** A room is open no longer. */
  leave(room: Followed): void
  /** An answer that does not come costs the connection its trust: another is made. */
  ask<E extends keyof LiveClientEvents, T>(
    event: E,
    request: Request<E>,
    parse: (answer: unknown) => Result<T>,
    timeoutMs?: number,
  ): Promise<Answer<T>>
  /** Tries now; a connection that seems to be there is asked whether it is. */
  wake(): void
  close(): void
}

/** Longer than a node waits for Redis. */
const ACK_TIMEOUT_MS = 5_000
/** How soon a connection must prove that it has outlived the sleep of its page. */
const PROOF_TIMEOUT_MS = 3_000
const RETRY = { baseMs: 300, capMs: 10_000 }
/** The server allows so many events in a time, and a page may have a hundred rooms. */
const JOINS_AT_ONCE = 8
const NAMESPACE = '/'
/** The server announces the end of a token so many seconds before, and looks once a second. */
const WARNING_S = 60
const EARLY_MS = 1_500

/** Seconds that a token lives which the server has taken; 0 if it does not say. */
const lifeOf = (answer: unknown): Result<number> => {
  const { expiresIn } = Object(answer) as { expiresIn?: unknown }
  return ok(typeof expiresIn === 'number' ? expiresIn : 0)
}

export const createSocketDoor = (options: SocketDoorOptions): SocketDoor => {
  const { tokens, random } = options
  const waiting = new Set<Followed>()
  const joining = new Set<Followed>()
  let socket: LiveSocket | undefined
  let token = ''
  /** Ends with the present connection. */
  let present = new AbortController()
  let up = false
  let refreshing = false
  /** Runs while it is too early to renew the token again. */
  let renewed: ReturnType<typeof setTimeout> | undefined

  const ask: SocketDoor['ask'] = async (event, request, parse, timeoutMs = ACK_TIMEOUT_MS) => {
    // A socket that is not connected would keep the event and send it some day.
    if (!socket?.connected) return unanswered('There is no connection.')
    const { signal } = present
    const answer = await askSocket(socket, event, request, parse, timeoutMs)
    // The server answers whatever happens to it, so this connection leads nowhere.
    if (!answer.ok && answer.code === 'NETWORK' && !signal.aborted) connection.reconnect()
    return answer
  }

  /** Back to the beginning, with another token. */
  const reauthorize = (failure: Failure) => {
    if (tokens.refuse(token, failure)) connection.reconnect()
  }

  const follow = async (room: Followed, signal: AbortSignal) => {
    for (let attempt = 0; room.open && !signal.aborted; ) {
      const answer = await ask('subscribe', room.request, (body) => {
        const page = parseSubscribed(body)
        // Here and not below: the next message may stand right behind the answer, and would be taken before
        // it.
        if (page.ok && !signal.aborted) room.take(page.value)
        return page
      })
      if (signal.aborted) return
      if (answer.ok) {
        attempt = 0
        connection.settle()
        if (answer.value.more) continue
        room.settle(true)
        break
      }
      options.onFailure(answer)
      if (answer.react === 'reauth') return reauthorize(answer)
      // Not subscribed: this very connection was being cut off.
      if (answer.react !== 'retry' && answer.code !== 'NOT_SUBSCRIBED') return room.refuse(answer)
      await pause(backoffMs(attempt++, RETRY, random), signal)
    }
    if (!room.open && !signal.aborted) part(room)
  }

  const pump = () => {
    for (const room of waiting) {
      if (joining.size >= JOINS_AT_ONCE) return
      waiting.delete(room)
      joining.add(room)
      const { signal } = present
      void follow(room, signal).finally(() => {
        joining.delete(room)
        pump()
      })
    }
  }

  const join = (room: Followed) => {
    if (!up || joining.has(room)) return
    room.settle(false)
    waiting.add(room)
    pump()
  }

  const dispatch = createDispatch(options.rooms, join)

  /** Tells the server, unless the room was opened anew. */
  const part = (room: Followed) => {
    // The server knows `@user` by its full name, under which another room may follow it.
    for (const other of options.rooms()) if (isSame(other.channel, room.channel)) return
    void ask('unsubscribe', { channel: room.channel }, ok)
  }

  const wakeUp = () => {
    clearTimeout(renewed)
    renewed = undefined
  }
  /**
   * Until a new token is to be renewed: a minute before its end, or at half its life. A server may announce
   * the end more often.
   */
  const rest = (expiresIn: number) => {
    wakeUp()
    const ms = Math.max(expiresIn / 2, expiresIn - WARNING_S) * 1_000 - EARLY_MS
    if (ms > 0) renewed = setTimeout(wakeUp, ms)
  }

  const refresh = async (signal: AbortSignal) => {
    for (let attempt = 0; !signal.aborted; attempt++) {
      const next = await tokens.renew()
      if (signal.aborted) return
      const answer = next.ok ? await ask('refresh', { token: next.value }, lifeOf) : next
      if (signal.aborted) return
      if (answer.ok && next.ok) {
        token = next.value
        rest(answer.value)
        return tokens.accept()
      }
      if (answer.ok) return
      options.onFailure(answer)
      // Another person's token, for one: it is good for a connection of its own.
      if (answer.react !== 'retry') return connection.reconnect()
      await pause(backoffMs(attempt, RETRY, random), signal)
    }
  }

  const listen = (created: LiveSocket) => {
    for (const event of TOLD) (created as Socket).on(event, (body: unknown) => dispatch.take(event, body))
    created.on('expiring', () => {
      if (refreshing || renewed) return
      refreshing = true
      void refresh(present.signal).finally(() => {
        refreshing = false
      })
    })
    created.on('ended', (notice) => {
      const failure = failureFor(notice?.code === 'REVOKED' ? 'REVOKED' : 'TOKEN_EXPIRED')
      options.onFailure(failure)
      tokens.refuse(token, failure)
    })
  }

  const connected = () => {
    tokens.accept()
    present = new AbortController()
    up = true
    options.onUp(true)
    let rooms = 0
    for (const room of options.rooms()) {
      rooms++
      join(room)
    }
    if (rooms === 0) connection.settle()
  }

  const lost = (refusal?: unknown) => {
    present.abort()
    wakeUp()
    waiting.clear()
    if (up) {
      up = false
      for (const room of options.rooms()) room.settle(false)
      options.onUp(false)
    }
    if (!isRefusal(refusal)) return
    const failure = failureOf(refusal)
    options.onFailure(failure)
    if (failure.react === 'reauth') tokens.refuse(token, failure)
    else if (failure.react !== 'retry') options.onEnd(failure)
  }

  const connection = createConnection({
    origin: options.origin,
    namespace: NAMESPACE,
    transports: options.transports,
    random,
    auth: async () => {
      const given = await tokens.get()
      if (!given.ok) {
        options.onFailure(given)
        return undefined
      }
      token = given.value
      return { token }
    },
    onCreated: (created) => {
      socket = created
      listen(created)
    },
    onConnected: connected,
    onLost: lost,
  })

  /** A phone that slept holds connections that died long ago, and tokens that went with them. */
  const prove = async (signal: AbortSignal) => {
    const given = await tokens.get()
    if (!given.ok || signal.aborted) return
    const answer = await ask('refresh', { token: given.value }, ok, PROOF_TIMEOUT_MS)
    if (signal.aborted) return
    if (answer.ok) token = given.value
    else if (answer.react === 'reauth') reauthorize(answer)
    else if (answer.react !== 'retry') connection.reconnect()
  }

  return {
    get up() {
      return up
    },
    join,
    leave: (room) => {
      const asked = !waiting.delete(room)
      // One that is being joined is left when the answer is there: the server takes them one at a time.
      if (up && asked && !joining.has(room)) part(room)
    },
    ask,
    wake: () => {
      connection.wake()
      if (up) void prove(present.signal)
    },
    close: () => {
      present.abort()
      wakeUp()
      connection.close()
      up = false
    },
  }
}
