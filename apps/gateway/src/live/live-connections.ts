import { codes, type EndNotice, fail, ok, parseRefresh, type Result } from '@saoma/protocol'
import { every, RedisUnavailable } from '@saoma/redis'
import { createConcurrencyQuota } from '../access/concurrency-quota.ts'
import type { Endpoint } from './endpoint.ts'
import { LiveConnection, type LiveConnectionDeps, proofAt } from './live-connection.ts'

/** The connections of one node to the channels, from all doors. */
export interface LiveConnections {
  /**
   * Admits a client by its `{ token, dpop? }`, or returns the reason of the refusal; never rejects. Call
   * `open` when the client can receive events, and `close` when it is gone.
   */
  admit(endpoint: Endpoint, credentials: unknown): Promise<Result<LiveConnection>>
  /** Opens an admitted connection. From now on the expiry of its token is checked. */
  open(connection: LiveConnection): void
  /** Closes a connection. Idempotent. */
  close(connection: LiveConnection): void
  /** Number of people with at least one connection. */
  people(): number
  /** Stops the timer. */
  stop(): void
}

/** How often token expiry is checked. All connections share one timer. */
const SWEEP_MS = 1_000
/**
 * Most connections on one node. A person has a few devices with a few
 * pages each, a backend some hundreds of processes.
 */
const MOST = { person: 100, backend: 1_000 }

export const createLiveConnections = (deps: LiveConnectionDeps): LiveConnections => {
  const { limits, revocations, authenticate, metrics, audit, log } = deps
  const crowd = createConcurrencyQuota(MOST)
  const connections = new Set<LiveConnection>()

  const admit = async (endpoint: Endpoint, credentials: unknown): Promise<Result<LiveConnection>> => {
    // A connection may try to authenticate any number of times, so limit it.
    if (await limits.liveEvents(endpoint.connection)) return fail('RATE_LIMITED')
    const asked = parseRefresh(credentials)
    if (!asked.ok) return fail('UNAUTHORIZED')
    const who = await authenticate(asked.value.token, endpoint.address, proofAt(asked.value, endpoint, deps.origin))
    if (!who.ok) return who
    let connection: LiveConnection | undefined
    let ended: EndNotice | undefined
    const watch = await revocations.watch(who.value, (notice) => {
      ended = notice
      connection?.end(notice)
    })
    if (!watch.ok) return watch
    const leave = ended ? undefined : crowd.enter(who.value)
    if (!leave) {
      watch.value.close()
      return fail(ended?.code ?? 'RATE_LIMITED')
    }
    connection = new LiveConnection(endpoint, { who: who.value, watch: watch.value, leave }, deps)
    return ok(connection)
  }

  const stop = every(SWEEP_MS, () => {
    const now = Date.now()
    for (const connection of connections) connection.check(now)
  })

  return {
    admit: async (endpoint, credentials) => {
      try {
        const admitted = await admit(endpoint, credentials)
        if (admitted.ok) return admitted
        const { code } = admitted
        metrics.handshakesRejected.inc({ reason: code })
        if (codes[code].status < 500) audit.refusals.count(code)
        log.info({ event: 'refused', on: 'connect', code })
        return admitted
      } catch (error) {
        const code = error instanceof RedisUnavailable ? 'REDIS_UNAVAILABLE' : 'INTERNAL'
        metrics.handshakesRejected.inc({ reason: code })
        log.error({ err: error, event: 'refused', on: 'connect', code })
        return fail(code)
      }
    },

    open: (connection) => {
      if (connection.isOpen) connections.add(connection)
      log.debug({ event: 'connected', socket: connection.id, kind: connection.who.kind })
      connection.open()
    },

    close: (connection) => {
      connections.delete(connection)
      connection.close()
    },

    people: () => {
      const people = new Set<string>()
      for (const { who } of connections) if (who.kind === 'person') people.add(`${who.issuer} ${who.user}`)
      return people.size
    },

    stop,
  }
}
