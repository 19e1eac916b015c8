import { connect as dial, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { connect as dialTls } from 'node:tls'
import { AbstractConnector, Redis, type RedisOptions } from 'ioredis'
import { RedisRefused, refusalOfSentinel } from './refused.ts'
import { RedisUnavailable } from './replies.ts'
import type { Credentials } from './url.ts'

export interface Endpoint {
  host: string
  port: number
}

/** PEM texts for TLS. */
export interface Certificates {
  /** Authorities to trust, instead of those that Node brings. @default Node's */
  ca?: string
  /** Our own certificate, for a server that asks for one (`tls-auth-clients yes`, Redis's default). */
  cert?: string
  key?: string
}

/** The same words as ioredis, which knows by them that nothing went wrong. */
const CLOSED = 'Connection is closed.'

export const placeOf = ({ host, port }: Endpoint): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`

/** Opens sockets for ioredis and keeps an eye on their errors. */
abstract class Connector extends AbstractConnector {
  /**
   * ioredis listens for one error of a socket, and a TLS socket may have two: the second would end the
   * process. Hence a listener that stays.
   */
  protected dial({ host, port }: Endpoint, tls: Certificates | undefined): Socket {
    if (!this.connecting) throw new Error(CLOSED)
    const socket = tls ? dialTls({ host, port, ...tls }) : dial({ host, port })
    socket.on('error', (error) => {
      this.firstError ??= error
    })
    this.stream = socket
    return socket
  }

  /** Every reply that asks for a new connection calls it: the first is enough. */
  override disconnect(): void {
    if (this.connecting || !this.stream?.writableEnded) super.disconnect()
  }
}

/** For the server of `host` and `port` in the options of a connection. */
export class ServerConnector extends Connector {
  readonly #options: RedisOptions

  constructor(options: unknown) {
    const { disconnectTimeout = 0 } = options as RedisOptions
    super(disconnectTimeout)
    this.#options = options as RedisOptions
  }

  async connect(): Promise<Socket> {
    this.connecting = true
    // Whoever opens a connection may close it in the same turn.
    await undefined
    const { host = 'localhost', port = 6379, tls } = this.#options
    return this.dial({ host, port }, tls as Certificates | undefined)
  }
}

export interface SentinelSearch extends Credentials {
  sentinels: readonly Endpoint[]
  master: string
  tls?: Certificates | undefined
  timeoutMs: number
  /** Milliseconds to wait before all are asked again. */
  pauseMs: (round: number) => number
}

/** Sentinels that are remembered: those of the URL, and others that they tell of. */
const MOST_SENTINELS = 20

/**
 * For the master that Sentinels name. ioredis has one of its own; it speaks plaintext unless it is told
 * otherwise for each kind of server, and says `Connection is closed.` for every reason that a Sentinel or its
 * certificate gives.
 */
export const sentinelConnector = (search: SentinelSearch) => {
  const { master, tls, timeoutMs, username, password } = search
  /** The one that answered last is first. */
  let known = [...search.sentinels]

  const ask = async (sentinel: Endpoint): Promise<Endpoint> => {
    const client = new Redis({
      ...sentinel,
      Connector: ServerConnector,
      connectTimeout: timeoutMs,
      commandTimeout: timeoutMs,
      disconnectTimeout: 0,
      retryStrategy: () => null,
      maxRetriesPerRequest: 0,
      enableReadyCheck: false,
      disableClientInfo: true,
      lazyConnect: true,
      ...(tls ? { tls } : {}),
      ...(username ? { username } : {}),
      ...(password ? { password } : {}),
    })
    let reason: Error | undefined
    client.on('error', (error: Error) => {
      reason ??= error
    })
    try {
      await client.connect()
      const address = (await client.call('SENTINEL', 'get-master-addr-by-name', master)) as [string, string] | null
      if (!address) throw new Error('ERR No such master with that name')
      const others = (await client.call('SENTINEL', 'sentinels', master)) as unknown[]
      remember(others.flatMap(endpointIn))
      return { host: address[0], port: Number(address[1]) }
    } catch (error) {
      throw reason ?? error
    } finally {
      client.disconnect()
    }
  }

  const remember = (others: Endpoint[]): void => {
    const places = new Set(known.map(placeOf))
    known = [...known, ...others.filter((other) => !places.has(placeOf(other)))].slice(0, MOST_SENTINELS)
  }

  return class MasterConnector extends Connector {
    /** Ends a pause between two rounds. */
    #closed = new AbortController()

    constructor(options: unknown) {
      super((options as RedisOptions).disconnectTimeout ?? 0)
    }

    override disconnect(): void {
      super.disconnect()
      this.#closed.abort()
    }

    /** Whether what a server says of itself is what Sentinels said of it. */
    override check({ role }: { role?: string }): boolean {
      const isMaster = role === undefined || role === 'master'
      // The one that was asked may be out of touch with the others: those first.
      if (!isMaster) known = [...known.slice(1), ...known.slice(0, 1)]
      return isMaster
    }

    async connect(tell: (kind: string, error: Error) => void): Promise<Socket> {
      this.connecting = true
      this.#closed = new AbortController()
      const { signal } = this.#closed
      for (let round = 1; ; round++) {
        const failures: Error[] = []
        for (const sentinel of known) {
          const answer = await ask(sentinel).catch((error: Error) => {
            failures.push(
              refusalOfSentinel(error, placeOf(sentinel), master) ??
                new RedisUnavailable(`the Sentinel at ${placeOf(sentinel)}: ${error.message}`, { cause: error }),
            )
          })
          if (!this.connecting) throw new Error(CLOSED)
          if (!answer) continue
          known = [sentinel, ...known.filter((other) => other !== sentinel)]
          return this.dial(answer, tls)
        }
        tell('error', sumOf(failures))
        await delay(search.pauseMs(round), undefined, { signal }).catch(() => {})
        if (!this.connecting) throw new Error(CLOSED)
      }
    }
  }
}

/** What a person can put right goes before what may pass. */
const sumOf = (failures: readonly Error[]): Error =>
  failures.find((error) => error instanceof RedisRefused) ??
  new RedisUnavailable(`No Sentinel names the master. ${failures.map(({ message }) => message).join('; ')}`, {
    cause: failures[0]?.cause,
  })

/** Of one Sentinel as the others describe it: names and values in turn, or a map. */
const endpointIn = (described: unknown): Endpoint[] => {
  const fields = Array.isArray(described)
    ? Object.fromEntries(Array.from({ length: described.length / 2 }, (_, i) => described.slice(2 * i, 2 * i + 2)))
    : (described as Record<string, unknown>)
  const [host, port, flags] = [String(fields?.ip ?? ''), Number(fields?.port), String(fields?.flags ?? '')]
  return host && port > 0 && !flags.includes('disconnected') ? [{ host, port }] : []
}
