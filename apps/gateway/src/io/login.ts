import {
  fail,
  isTerminal,
  type LoginClientEvents,
  type LoginServerEvents,
  ok,
  parseWatch,
  type Result,
  type TicketState,
  ticketOf,
} from '@saoma/protocol'
import { RedisUnavailable, type Subscriber } from '@saoma/redis'
import type { Tickets } from '@saoma/tickets'
import type { Namespace, Socket } from 'socket.io'
import type { Limits } from '../limits.ts'
import type { Logger } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { Trace } from '../trace.ts'
import { listen } from './event.ts'
import type { Guard } from './guard.ts'
import { closeWhenUnused } from './unused.ts'

/** What a node keeps of a waiting browser. */
interface Waiting {
  deviceCode?: string
  /** Whether a `watch` of it is being answered. */
  watching: boolean
  version: number
  /** Milliseconds since the epoch: when the status it was told of expires, or when a socket that follows nothing is closed. */
  dueAt: number
}

type LoginSocket = Socket<LoginClientEvents, LoginServerEvents, Record<string, never>, Waiting>
export type LoginNamespace = Namespace<LoginClientEvents, LoginServerEvents, Record<string, never>, Waiting>

export interface LoginDeps {
  guard: Guard
  tickets: Tickets
  subscriber: Subscriber
  limits: Limits
  metrics: Metrics
  log: Logger
  trace?: Trace
}

/** How long a socket may follow nothing before it is closed. */
const IDLE_MS = 30_000
/** Stands in for the headers and addresses of the handshake, which Socket.IO would keep for as long as the socket lives. */
const FORGOTTEN = Object.freeze({})
/** How often deadlines are looked at: one timer for all browsers instead of one for each. */
const SWEEP_MS = 1_000
/** When a ticket is read again that could not be read. */
const RETRY_MS = 2_000
/** Reads at once after Redis came back, so that it is not met by every waiting browser in one instant. */
const RESYNC_BATCH = 100

/** Engine.IO's and Socket.IO's own; their types keep both to themselves. */
const connectionOf = (socket: LoginSocket): string => Reflect.get(socket.conn, 'id')

/**
 * Namespace `/login`: a browser follows its ticket. The order is the promise: join the room, wait until Redis has confirmed the
 * subscription, and only then read the state that the ack carries. So no transition falls between the two.
 *
 * @returns ends the watch over deadlines
 */
export const serveLogin = (namespace: LoginNamespace, deps: LoginDeps): (() => void) => {
  const { guard, tickets, subscriber, limits, metrics, log } = deps
  const watch = async (socket: LoginSocket, request: unknown): Promise<Result<TicketState>> => {
    const parsed = parseWatch(request)
    if (!parsed.ok) return parsed
    const { deviceCode } = parsed.value
    // The secret is checked before anything is subscribed, so that a stranger costs one read.
    const known = await tickets.read(deviceCode)
    if (!known.ok) return known
    const ticket = ticketOf(deviceCode)
    await leave(socket)
    // Joining a room after the connection has ended would hold the room for ever.
    if (!socket.connected) return known
    socket.data.deviceCode = deviceCode
    try {
      await socket.join(tickets.room(ticket))
      await subscriber.confirmed(tickets.channel(ticket))
      const state = await tickets.read(deviceCode)
      await follow(socket, state)
      return state
    } catch (error) {
      await leave(socket)
      throw error
    }
  }

  const leave = async (socket: LoginSocket): Promise<void> => {
    const { deviceCode } = socket.data
    delete socket.data.deviceCode
    socket.data.dueAt = Date.now() + IDLE_MS
    if (deviceCode) await socket.leave(tickets.room(ticketOf(deviceCode)))
  }

  /** Notes what the browser knows and when to look again; a ticket that is over is not followed any longer. */
  const follow = async (socket: LoginSocket, state: Result<TicketState>): Promise<void> => {
    if (!state.ok || isTerminal(state.value.status)) return leave(socket)
    socket.data.version = state.value.version
    socket.data.dueAt = Date.now() + state.value.expiresIn * 1000
  }

  /** Reads the ticket again and tells the browser what it may have missed: at a deadline, and after Redis was away. */
  const refresh = async (socket: LoginSocket): Promise<void> => {
    const { deviceCode, version } = socket.data
    if (!deviceCode || !socket.connected) return
    try {
      const state = await tickets.read(deviceCode)
      if (socket.data.deviceCode !== deviceCode) return
      if (state.ok && state.value.version > version) socket.emit('ticket', state.value)
      await follow(socket, state)
    } catch (error) {
      if (!(error instanceof RedisUnavailable)) throw error
      // The connections come back one by one, so `resubscribed` may have been too early: soon again.
      socket.data.dueAt = Date.now() + RETRY_MS * (0.5 + Math.random())
    }
  }

  const onWatch = listen<LoginSocket>('watch', deps, async (socket, request) => {
    // One at a time: two that cross would each undo half of the other.
    if (socket.data.watching) return fail('RATE_LIMITED')
    socket.data.watching = true
    try {
      const state = await watch(socket, request)
      if (!state.ok) return state
      log.info({ event: 'watch', ticket: state.value.ticket, status: state.value.status })
      return ok({ state: state.value })
    } finally {
      socket.data.watching = false
    }
  })

  namespace.on('connection', (socket) => {
    guard.answered(socket)
    socket.data.watching = false
    socket.data.version = 0
    socket.data.dueAt = Date.now() + IDLE_MS
    Object.assign(socket, { handshake: FORGOTTEN })
    socket.use((_, next) => {
      limits.events(connectionOf(socket)).then((slow) => (slow ? socket.disconnect(true) : next()), next)
    })
    // A shared function, because a closure for each of ten thousand waiting browsers is memory.
    socket.on('watch', onWatch)
    socket.on('disconnect', closeWhenUnused)
  })

  const sweep = setInterval(() => {
    const now = Date.now()
    for (const socket of namespace.sockets.values()) {
      if (now < socket.data.dueAt) continue
      // The answer sets the next deadline; should Redis be away, it is looked at again later.
      socket.data.dueAt = now + IDLE_MS
      if (socket.data.deviceCode) void refresh(socket)
      else socket.disconnect(true)
    }
  }, SWEEP_MS).unref()

  subscriber.on('resubscribed', async () => {
    metrics.resyncs.inc()
    const sockets = [...namespace.sockets.values()]
    for (let i = 0; i < sockets.length; i += RESYNC_BATCH)
      await Promise.all(sockets.slice(i, i + RESYNC_BATCH).map(refresh))
    log.info({ event: 'resync', sockets: sockets.length })
  })

  return () => clearInterval(sweep)
}
