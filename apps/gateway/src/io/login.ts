import type { LoginClientEvents, LoginServerEvents, Refusal } from '@saoma/protocol'
import { type Code, codes, isTerminal, parseWatch, type Result, type TicketState, ticketOf } from '@saoma/protocol'
import { RedisUnavailable, type Subscriber } from '@saoma/redis'
import type { Tickets } from '@saoma/tickets'
import type { Namespace, Socket } from 'socket.io'
import type { Limits } from '../limits.ts'
import type { Logger } from '../log.ts'
import type { Metrics } from '../metrics.ts'

/** What a node keeps of a waiting browser. */
interface Waiting {
  deviceCode?: string
  version: number
  /** First the time to say `watch`, then the deadline of the ticket's present status. */
  timer?: NodeJS.Timeout
}

type LoginSocket = Socket<LoginClientEvents, LoginServerEvents, Record<string, never>, Waiting>
export type LoginNamespace = Namespace<LoginClientEvents, LoginServerEvents, Record<string, never>, Waiting>

export interface LoginDeps {
  tickets: Tickets
  subscriber: Subscriber
  limits: Limits
  metrics: Metrics
  log: Logger
}

/** A socket that has said nothing for this long is not a waiting browser. */
const SILENT_MS = 30_000
/** Reads at once after Redis came back, so that it is not met by every waiting browser in one instant. */
const RESYNC_BATCH = 100

const refusal = (code: Code): Refusal => ({ ok: false, code, message: codes[code].say.en, react: codes[code].react })

/**
 * Namespace `/login`: a browser follows its ticket. The order is the promise: join the room, wait until Redis has confirmed the
 * subscription, and only then read the state that the ack carries. So no transition falls between the two.
 */
export const serveLogin = (
  namespace: LoginNamespace,
  { tickets, subscriber, limits, metrics, log }: LoginDeps,
): void => {
  const watch = async (socket: LoginSocket, request: unknown): Promise<Result<TicketState>> => {
    const parsed = parseWatch(request)
    if (!parsed.ok) return parsed
    const { deviceCode } = parsed.value
    // The secret is checked before anything is subscribed, so that a stranger costs one read.
    const known = await tickets.read(deviceCode)
    if (!known.ok) return known
    const ticket = ticketOf(deviceCode)
    await leave(socket)
    await socket.join(tickets.room(ticket))
    await subscriber.confirmed(tickets.channel(ticket))
    const state = await tickets.read(deviceCode)
    if (state.ok) follow(socket, deviceCode, state.value)
    else await leave(socket)
    return state
  }

  const leave = async (socket: LoginSocket): Promise<void> => {
    const { deviceCode } = socket.data
    delete socket.data.deviceCode
    if (deviceCode) await socket.leave(tickets.room(ticketOf(deviceCode)))
  }

  const follow = (socket: LoginSocket, deviceCode: string, state: TicketState): void => {
    clearTimeout(socket.data.timer)
    if (!socket.connected) return
    socket.data.deviceCode = deviceCode
    socket.data.version = state.version
    if (!isTerminal(state.status))
      socket.data.timer = setTimeout(() => refresh(socket), state.expiresIn * 1000 + 250).unref()
  }

  /** Reads the ticket again and tells the browser what it may have missed: at a deadline, and after Redis was away. */
  const refresh = async (socket: LoginSocket): Promise<void> => {
    const { deviceCode, version } = socket.data
    if (!deviceCode || !socket.connected) return
    try {
      const state = await tickets.read(deviceCode)
      if (!state.ok || socket.data.deviceCode !== deviceCode) return
      if (state.value.version > version) socket.emit('ticket', state.value)
      follow(socket, deviceCode, state.value)
    } catch (error) {
      if (!(error instanceof RedisUnavailable)) throw error
      // Redis is away: its return brings us back here through `resubscribed`.
    }
  }

  namespace.on('connection', (socket) => {
    socket.data.version = 0
    socket.data.timer = setTimeout(() => socket.disconnect(true), SILENT_MS).unref()
    socket.on('disconnect', () => clearTimeout(socket.data.timer))
    socket.use((_, next) => {
      limits.events(socket.id).then((slow) => (slow ? socket.disconnect(true) : next()), next)
    })
    socket.on('watch', async (...args: unknown[]) => {
      // The ack comes last, also behind a request that was left out or had company.
      const ack = args.at(-1)
      const answer = typeof ack === 'function' ? ack : () => {}
      const request = typeof args[0] === 'function' ? undefined : args[0]
      try {
        const state = await watch(socket, request)
        if (!state.ok) log.warn({ event: 'refused', on: 'watch', code: state.code, socket: socket.id })
        answer(state.ok ? { ok: true, state: state.value } : refusal(state.code))
      } catch (error) {
        const code = error instanceof RedisUnavailable ? 'REDIS_UNAVAILABLE' : 'INTERNAL'
        log.error({ err: error, event: 'refused', on: 'watch', code, socket: socket.id })
        answer(refusal(code))
      }
    })
  })

  subscriber.on('resubscribed', async () => {
    metrics.resyncs.inc()
    const sockets = [...namespace.sockets.values()]
    for (let i = 0; i < sockets.length; i += RESYNC_BATCH)
      await Promise.all(sockets.slice(i, i + RESYNC_BATCH).map(refresh))
    log.info({ event: 'resync', sockets: sockets.length })
  })
}
