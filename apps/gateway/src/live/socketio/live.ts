import type { Listener, LogEntry, Signal } from '@saoma/channels'
import type { Failed, LiveClientEvents } from '@saoma/protocol'
import { RedisUnavailable } from '@saoma/redis'
import { isDeaf, type Limits } from '../../transport/limits.ts'
import { refusal } from '../../transport/refusal.ts'
import { type AckHandler, handleEvents, type ListenDeps } from '../../transport/socket/ack-handler.ts'
import { closeWhenUnused } from '../../transport/socket/close-idle.ts'
import type { PacketGuard } from '../../transport/socket/packet-guard.ts'
import type { Live } from '../live.ts'
import { connectionOf, type LiveNamespace, type LiveSocket, release } from './live-socket.ts'
import { createSessions, type SessionsDeps } from './sessions.ts'
import { createSocketWriter, type SocketWriter } from './socket-writer.ts'
import { createSubscriptions } from './subscriptions.ts'

export interface LiveNamespaceDeps extends SessionsDeps, ListenDeps {
  guard: PacketGuard
  live: Live
  limits: Limits
}

export interface LiveNamespaceOptions {
  /** Most channels that one connection may follow. */
  maxChannels: number
  /** Bytes that may wait for a reader before it is cut off. */
  maxBufferBytes: number
  /** Packets of a connection in ten seconds before it is cut off; refusals begin earlier. */
  maxPackets: { person: number; backend: number }
}

/**
 * Stands in for the handshake, which Socket.IO would keep, token and all, for as long as the socket lives.
 */
const FORGOTTEN = Object.freeze({})

/**
 * Namespace `/`: people and backends follow channels and publish into them. Returns the end of its timers.
 */
export const serveLive = (
  namespace: LiveNamespace,
  deps: LiveNamespaceDeps,
  { maxChannels, maxBufferBytes, maxPackets }: LiveNamespaceOptions,
): (() => void) => {
  const { guard, live, limits, metrics, log } = deps
  const sessions = createSessions(namespace, deps)

  const cutIfSlow = (socket: LiveSocket): boolean => {
    const isSlow = socket.data.outlet?.isSlow() ?? false
    if (isSlow) onSlow(socket)
    return isSlow
  }
  const subscriptions = createSubscriptions({ live, limits, metrics, cutIfSlow }, maxChannels)

  const onSlow = (socket: LiveSocket): void => {
    if (socket.data.slow) return
    socket.data.slow = true
    log.warn({ event: 'slow', code: 'SLOW_READER', socket: socket.id })
    metrics.slowReaders.inc()
    release(socket.data)
  }

  const listenerOf = (socket: LiveSocket, outlet: SocketWriter): Listener => {
    const { traffic } = metrics
    return {
      messages: (batch: readonly LogEntry[]) => {
        const written = outlet.messages(batch)
        if (written === 'slow') return onSlow(socket)
        traffic.messagesOut += batch.length
        traffic.bytesOut += written
      },
      signal: (signal: Signal) => {
        const written = outlet.signal(signal)
        if (written === 'dropped') traffic.signalsDropped++
        else traffic.bytesOut += written
      },
    }
  }

  const events: Record<keyof LiveClientEvents, AckHandler<LiveSocket>> = {
    ...subscriptions,
    refresh: sessions.refresh,
    publish: ({ data }, request) => live.publish(data.who, request),
    presence: ({ data }, request) => live.presence(data.who, request),
    read: ({ data }, request) => live.markRead(data.who, request),
  }
  const listeners = Object.entries(events).map(([name, act]) => [name, handleEvents(name, deps, act)] as const)

  namespace.use(async (socket, next) => {
    const refuse = (failed: Omit<Failed, 'ok'>) => {
      const { code } = failed
      metrics.handshakesRejected.inc({ reason: code })
      if (code !== 'INTERNAL' && code !== 'REDIS_UNAVAILABLE') log.info({ event: 'refused', on: 'connect', code })
      guard.answered(socket)
      next(Object.assign(new Error(code), { data: refusal(failed) }))
    }
    try {
      // A connection may ask to be let in as often as it likes.
      if (await limits.liveEvents(connectionOf(socket))) return refuse({ code: 'RATE_LIMITED' })
      const verdict = await sessions.admit(socket)
      if (!verdict.ok) return refuse(verdict)
      next()
    } catch (error) {
      const code = error instanceof RedisUnavailable ? 'REDIS_UNAVAILABLE' : 'INTERNAL'
      log.error({ err: error, event: 'refused', on: 'connect', code })
      refuse({ code })
    }
  })

  namespace.on('connection', (socket) => {
    guard.answered(socket)
    if (socket.data.endedEarly) return sessions.end(socket, socket.data.endedEarly)
    const outlet = createSocketWriter(socket.conn, maxBufferBytes)
    Object.assign(socket, { handshake: FORGOTTEN })
    Object.assign(socket.data, { outlet, listener: listenerOf(socket, outlet) })
    const isBackend = socket.data.who.kind === 'backend'
    const budget = isBackend ? limits.keyEvents : limits.liveEvents
    guard.trust(socket, isBackend ? maxPackets.backend : maxPackets.person)
    const subject = connectionOf(socket)
    socket.use(([, ...args], next) => {
      budget(subject).then((slow) => {
        // Who asks and does not read the answers would pile those up as well.
        if (cutIfSlow(socket)) return
        if (!slow) return next()
        if (isDeaf(slow)) return socket.disconnect(true)
        const ack = args.at(-1)
        if (typeof ack === 'function') ack(refusal({ code: 'RATE_LIMITED', retryAfter: slow.retryAfterSeconds }))
      }, next)
    })
    for (const [name, listener] of listeners) socket.on(name as 'subscribe', listener)
    socket.once('disconnect', closeWhenUnused)
    log.debug({ event: 'connected', socket: socket.id, kind: socket.data.who.kind })
  })

  return sessions.close
}
