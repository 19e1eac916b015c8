import { LIVE_ONLY, type LiveClientEvents, ok, parseSubscribed, type Result } from '@saoma/protocol'
import type { Socket } from 'socket.io-client'
import { backoffMs, pause } from '../core/backoff.ts'
import { createConnection, type Transports } from '../core/connection.ts'
import { credentialsOf } from '../core/proof.ts'
import { type Answer, type Failure, failureFor, unanswered } from '../core/request.ts'
import type { Tokens } from '../core/tokens.ts'
import { askSocket, failureOf, isRefusal, type LiveSocket } from './ask-socket.ts'
import { isSame } from './channel-name.ts'
import { createDispatch, TOLD } from './dispatch.ts'
import { noticeOf } from './end-notice.ts'
import type { Followed } from './room.ts'

export interface SocketDoorOptions {
  origin: string
  transports: Transports
  random: () => number
  tokens: Tokens
  /** Returns all open rooms. */
  rooms: () => Iterable<Followed>
  /** Whether the server has accepted us and the connection is alive. */
  onUp: (up: boolean) => void
  /** The server refuses us for good. */
  onEnd: (failure: Failure) => void
  onFailure: (failure: Failure) => void
}

type Request<E extends keyof LiveClientEvents> = Parameters<LiveClientEvents[E]>[0]

/** Follows the rooms over Socket.IO. */
export interface SocketDoor {
  readonly up: boolean
  /** A room was opened. */
  join(room: Followed): void
  /** A room was closed. */
  leave(room: Followed): void
  /** Sends an event and waits for its ack. If the ack is missing, the connection is replaced. */
  ask<E extends keyof LiveClientEvents, T>(
    event: E,
    request: Request<E>,
    parse: (answer: unknown) => Result<T>,
    timeoutMs?: number,
  ): Promise<Answer<T>>
  /** Reconnects now, or checks whether the present connection is alive. */
  wake(): void
  close(): void
}

/** Longer than a node waits for Redis. */
const ACK_TIMEOUT_MS = 5_000
/** Time for a connection to prove that it survived the suspension of its page. */
const PROOF_TIMEOUT_MS = 3_000
const RETRY = { baseMs: 300, capMs: 10_000 }
/** The server limits the events per time, and a page may have a hundred rooms. */
const JOINS_AT_ONCE = 8
const NAMESPACE = '/'
/** The server announces the end of a token this many seconds before, and checks once a second. */
const WARNING_S = 60
const EARLY_MS = 1_500

/** Lifetime of the accepted token in seconds; 0 if the server does not say. */
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
  /** Aborted when the present connection ends. */
  let present = new AbortController()
  let up = false
  let refreshing = false
  /** Set while it is too early to renew the token again. */
  let renewed: ReturnType<typeof setTimeout> | undefined

  const ask: SocketDoor['ask'] = async (event, request, parse, timeoutMs = ACK_TIMEOUT_MS) => {
    // A disconnected socket would buffer the event and send it much later.
    if (!socket?.connected) return unanswered('There is no connection.')
    const { signal } = present
    const answer = await askSocket(socket, event, request, parse, timeoutMs)
    // The server always answers, so this connection is dead.
    if (!answer.ok && answer.code === 'NETWORK' && !signal.aborted) connection.reconnect()
    return answer
  }

  /** Shows the server a token of the same person. */
  const show = async <T>(next: string, parse: (answer: unknown) => Result<T>, timeoutMs?: number) =>
    ask('refresh', await credentialsOf(options.origin, next), parse, timeoutMs)

  /** Starts again with another token. */
  const reauthorize = (failure: Failure) => {
    if (tokens.refuse(token, failure)) connection.reconnect()
  }

  const follow = async (room: Followed, signal: AbortSignal) => {
    for (let attempt = 0; room.open && !signal.aborted; ) {
      const answer = await ask('subscribe', room.request, (body) => {
        const page = parseSubscribed(body)
        // Inside the callback: the next message may arrive in the same packet, and code after an `await`
        // would run after it.
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
      // NOT_SUBSCRIBED: this connection was just being closed.
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

  /** Unsubscribes, unless the room was opened again. */
  const part = (room: Followed) => {
    // The server knows `@user` by its full name, and another room may follow it under that name.
    for (const other of options.rooms()) if (isSame(other.channel, room.channel)) return
    void ask('unsubscribe', { channel: room.channel }, ok)
  }

  const wakeUp = () => {
    clearTimeout(renewed)
    renewed = undefined
  }
  /**
   * Sets the time before which the token is not renewed again: a minute before its end, or half its life. A
   * server may announce the end more often.
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
      const answer = next.ok ? await show(next.value, lifeOf) : next
      if (signal.aborted) return
      if (answer.ok && next.ok) {
        token = next.value
        rest(answer.value)
        return tokens.accept()
      }
      if (answer.ok) return
      options.onFailure(answer)
      // For example a token of another person: it needs a new connection.
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
      const { code, reason } = noticeOf(notice)
      const failure = failureFor(code, reason)
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
    query: LIVE_ONLY,
    auth: async () => {
      const given = await tokens.get()
      if (!given.ok) {
        options.onFailure(given)
        return undefined
      }
      token = given.value
      return credentialsOf(options.origin, token)
    },
    onCreated: (created) => {
      socket = created
      listen(created)
    },
    onConnected: connected,
    onLost: lost,
  })

  /** Checks the connection after a suspension. A phone may hold dead connections and expired tokens. */
  const prove = async (signal: AbortSignal) => {
    const given = await tokens.get()
    if (!given.ok || signal.aborted) return
    const answer = await show(given.value, ok, PROOF_TIMEOUT_MS)
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
      // A room that is being joined is left after its answer: the server handles its events one at a time.
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
