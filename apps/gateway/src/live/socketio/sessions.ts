import { type Code, fail, ok, parseRefresh, type Result } from '@saoma/protocol'
import { createConcurrencyQuota } from '../../access/concurrency-quota.ts'
import type { Authenticate, Principal } from '../../access/principal.ts'
import type { RevocationWatch } from '../../access/revocation-watch.ts'
import type { Logger } from '../../operate/log.ts'
import type { Metrics } from '../../operate/metrics.ts'
import type { AckHandler } from '../../transport/socket/ack-handler.ts'
import { isOpen, type LiveNamespace, type LiveSocket, release } from './live-socket.ts'

export interface SessionsDeps {
  attendance: RevocationWatch
  authenticate: Authenticate
  metrics: Metrics
  log: Logger
}

/** How long before its end a token is announced to end, at most. */
const WARNING_MS = 60_000
/**
 * Two ends that are nearer are one: whoever renews a token may be given the same again, and was told of its
 * end.
 */
const SAME_END_MS = 2_000
/** Until the socket is taken in. */
const NOBODY = { messages: () => {}, signal: () => {} }
/** An API key has no end, and JSON no infinity. */
const LONGEST_SECONDS = 86_400
/** How often ends are looked for: one timer for all sockets instead of one for each. */
const SWEEP_MS = 1_000

/**
 * Sockets on one node: a person has a few devices with a few pages each, a backend some hundreds of
 * processes.
 */
const MOST_SOCKETS = { person: 100, backend: 1_000 }

const samePerson = (a: Principal, b: Principal): boolean =>
  a.kind === 'person' && b.kind === 'person'
    ? a.user === b.user && a.issuer === b.issuer
    : a.kind === 'backend' && b.kind === 'backend' && a.name === b.name

/**
 * A token that lives for less than two minutes is announced to end when half of what is left of it has
 * passed.
 */
const warnAtOf = ({ expiresAt }: Principal): number => {
  const now = Date.now()
  return Math.max(expiresAt - WARNING_MS, now + (expiresAt - now) / 2)
}
const haveSameEnd = (a: Principal, b: Principal): boolean => Math.abs(a.expiresAt - b.expiresAt) < SAME_END_MS

/** Who the sockets of a namespace belong to, from the handshake to the end of the token or the session. */
export const createSessions = (namespace: LiveNamespace, { attendance, authenticate, metrics, log }: SessionsDeps) => {
  const crowd = createConcurrencyQuota(MOST_SOCKETS)

  const end = (socket: LiveSocket, code: Code): void => {
    if (!socket.connected) {
      socket.data.endedEarly = code
      return
    }
    metrics.ended.inc({ code })
    const { who } = socket.data
    log.info({
      event: 'ended',
      code,
      socket: socket.id,
      ...(who.kind === 'person' ? { user: who.user } : { key: who.name }),
    })
    socket.emit('ended', { code })
    socket.disconnect(true)
  }

  /** Lets a connection in, or says why not. */
  const admit = async (socket: LiveSocket): Promise<Result<true>> => {
    const token: unknown = Reflect.get(socket.handshake.auth, 'token')
    const asked = parseRefresh({ token })
    if (!asked.ok) return fail('UNAUTHORIZED')
    const who = await authenticate(asked.value.token, socket.conn.remoteAddress)
    if (!who.ok) return who
    let ended = false
    const attending = await attendance.attend(who.value, () => {
      ended = true
      end(socket, 'REVOKED')
    })
    if (!attending.ok) return attending
    if (ended) {
      attending.value.close()
      return fail('REVOKED')
    }
    const leave = crowd.enter(who.value)
    if (!leave) {
      attending.value.close()
      return fail('RATE_LIMITED')
    }
    socket.data = {
      who: who.value,
      attending: attending.value,
      following: new Map(),
      listener: NOBODY,
      warnAt: warnAtOf(who.value),
      joining: 0,
      waiting: [],
    }
    const { data, conn } = socket
    // The connection's end as well as the socket's, which is never told if the connection went while it was
    // being let in.
    const onEnd = () => {
      conn.off('close', onEnd)
      release(data)
      leave()
    }
    conn.once('close', onEnd)
    socket.once('disconnect', onEnd)
    if (!isOpen(socket)) onEnd()
    return ok(true)
  }

  const refresh: AckHandler<LiveSocket> = async (socket, request) => {
    const { data } = socket
    const asked = parseRefresh(request)
    if (!asked.ok) return asked
    const who = await authenticate(asked.value.token, socket.conn.remoteAddress)
    if (!who.ok) return who
    if (!samePerson(who.value, data.who)) return fail('FORBIDDEN')
    const attending = await attendance.attend(who.value, () => end(socket, 'REVOKED'))
    if (!attending.ok) return attending
    if (!isOpen(socket)) {
      attending.value.close()
      return fail('UNAUTHORIZED')
    }
    data.attending.close()
    const warnAt = haveSameEnd(who.value, data.who) ? data.warnAt : warnAtOf(who.value)
    Object.assign(data, { who: who.value, attending: attending.value, warnAt })
    metrics.refreshed.inc()
    return ok({
      expiresIn: Math.max(0, Math.min(LONGEST_SECONDS, Math.floor((who.value.expiresAt - Date.now()) / 1000))),
    })
  }

  const sweep = setInterval(() => {
    const now = Date.now()
    for (const socket of namespace.sockets.values()) {
      const { who, warnAt } = socket.data
      if (now >= who.expiresAt) end(socket, 'TOKEN_EXPIRED')
      else if (now >= warnAt) {
        socket.data.warnAt = Number.POSITIVE_INFINITY
        socket.emit('expiring', { expiresIn: Math.ceil((who.expiresAt - now) / 1000) })
      }
    }
  }, SWEEP_MS).unref()

  return {
    admit,
    end,
    refresh,
    close: () => clearInterval(sweep),
  }
}
