import type { Kept, Listener, Signal } from '@saoma/channels'
import { type Code, fail, type LiveClientEvents, ok, parseOfChannel, parseSubscribe } from '@saoma/protocol'
import { RedisUnavailable } from '@saoma/redis'
import { isDeaf, type Limits } from '../limits.ts'
import type { Live } from '../live/live.ts'
import { connectionOf, isOpen, type LiveNamespace, type LiveSocket, type Place, release } from './connected.ts'
import { type Act, listen, refusal } from './event.ts'
import { createOutlet, type Outlet } from './outlet.ts'
import { createSessions, type SessionsDeps } from './sessions.ts'
import { closeWhenUnused } from './unused.ts'

export interface LiveNamespaceDeps extends SessionsDeps {
  live: Live
  limits: Limits
}

export interface LiveNamespaceOptions {
  /** Most channels that one connection may follow. */
  maxChannels: number
  /** Bytes that may wait for a reader before it is cut off. */
  maxBufferBytes: number
}

/** Stands in for the handshake, which Socket.IO would keep, token and all, for as long as the socket lives. */
const FORGOTTEN = Object.freeze({})

/** Namespace `/`: people and backends follow channels and publish into them. Returns the end of its timers. */
export const serveLive = (
  namespace: LiveNamespace,
  deps: LiveNamespaceDeps,
  { maxChannels, maxBufferBytes }: LiveNamespaceOptions,
): (() => void) => {
  const { live, limits, metrics, log } = deps
  const sessions = createSessions(namespace, deps)

  const onSlow = (socket: LiveSocket): void => {
    if (socket.data.slow) return
    socket.data.slow = true
    log.warn({ event: 'slow', code: 'SLOW_READER', socket: socket.id })
    metrics.slowReaders.inc()
    release(socket.data)
  }

  const listenerOf = (socket: LiveSocket, outlet: Outlet): Listener => {
    const { traffic } = metrics
    return {
      messages: (batch: readonly Kept[]) => {
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

  const subscribe: Act<LiveSocket> = async (socket, request, later) => {
    const { who, following, listener } = socket.data
    const asked = parseSubscribe(request)
    if (!asked.ok) return asked
    const channel = live.resolve(who, asked.value.channel)
    if (!channel.ok) return channel
    const name = channel.value
    // One at a time: two that cross would both follow.
    const before = following.get(name)
    if (before && !before.followed) return fail('RATE_LIMITED')
    if (!before && following.size >= maxChannels) return fail('TOO_MANY_CHANNELS')
    const place: Place = {}
    const leave = () => {
      if (following.get(name) === place) following.delete(name)
    }
    following.set(name, place)
    // Asked again with another position: the former following would say things twice.
    before?.followed?.close()
    try {
      if (await limits.subscribes(connectionOf(socket))) {
        leave()
        return fail('RATE_LIMITED')
      }
      const result = await live.subscribe(who, asked.value, listener, true)
      if (!result.ok) {
        leave()
        return result
      }
      const { subscribed, following: followed } = result.value
      metrics.recoveries.inc({
        result: subscribed.recovered ? 'recovered' : (subscribed.reason ?? (asked.value.since ? 'refused' : 'new')),
      })
      // Unsubscribed, cut off or gone in the meantime.
      if (following.get(name) !== place || !isOpen(socket)) {
        followed.close()
        leave()
        return fail('NOT_SUBSCRIBED')
      }
      if (subscribed.more) {
        leave()
      } else {
        place.followed = followed
        later(() => followed.start())
      }
      return ok(subscribed)
    } catch (error) {
      leave()
      throw error
    }
  }

  const unsubscribe: Act<LiveSocket> = async ({ data: { who, following } }, request) => {
    const asked = parseOfChannel(request)
    const channel = asked.ok ? live.resolve(who, asked.value.channel) : asked
    if (!channel.ok) return channel
    if (!following.has(channel.value)) return fail('NOT_SUBSCRIBED')
    following.get(channel.value)?.followed?.close()
    following.delete(channel.value)
    return ok({})
  }

  const events: Record<keyof LiveClientEvents, Act<LiveSocket>> = {
    subscribe,
    unsubscribe,
    refresh: sessions.refresh,
    publish: async ({ data }, request) => {
      const result = await live.publish(data.who, request)
      metrics.published.inc({ result: result.ok ? 'ok' : result.code })
      return result
    },
    presence: ({ data }, request) => live.presence(data.who, request),
    read: ({ data }, request) => live.markRead(data.who, request),
  }
  const listeners = Object.entries(events).map(([name, act]) => [name, listen(name, log, act)] as const)

  namespace.use(async (socket, next) => {
    const refuse = (code: Code) => {
      metrics.handshakesRejected.inc({ reason: code })
      next(Object.assign(new Error(code), { data: refusal(code) }))
    }
    try {
      // A connection may ask to be let in as often as it likes, also while it is being let in.
      const slow = await limits.liveEvents(connectionOf(socket))
      if (slow && isDeaf(slow)) return void socket.conn.close()
      if (slow) return refuse('RATE_LIMITED')
      const verdict = await sessions.admit(socket)
      if (!verdict.ok) return refuse(verdict.code)
      next()
    } catch (error) {
      const code = error instanceof RedisUnavailable ? 'REDIS_UNAVAILABLE' : 'INTERNAL'
      log.error({ err: error, event: 'refused', on: 'connect', code })
      refuse(code)
    }
  })

  namespace.on('connection', (socket) => {
    if (socket.data.endedEarly) return sessions.end(socket, socket.data.endedEarly)
    const outlet = createOutlet(socket.conn, maxBufferBytes)
    Object.assign(socket, { handshake: FORGOTTEN })
    socket.data.listener = listenerOf(socket, outlet)
    const budget = socket.data.who.kind === 'backend' ? limits.keyEvents : limits.liveEvents
    const subject = connectionOf(socket)
    socket.use(([, ...args], next) => {
      budget(subject).then((slow) => {
        // Who asks and does not read the answers would pile those up as well.
        if (outlet.isSlow()) return onSlow(socket)
        if (!slow) return next()
        if (isDeaf(slow)) return socket.disconnect(true)
        const ack = args.at(-1)
        if (typeof ack === 'function') ack(refusal('RATE_LIMITED'))
      }, next)
    })
    for (const [name, listener] of listeners) socket.on(name as 'subscribe', listener)
    socket.once('disconnect', closeWhenUnused)
    log.debug({ event: 'connected', socket: socket.id, kind: socket.data.who.kind })
  })

  return sessions.close
}
