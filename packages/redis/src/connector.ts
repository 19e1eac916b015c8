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
  /** Certificate authorities to trust instead of Node's. @default Node's */
  ca?: string
  /** Our own certificate, for a server that demands one (`tls-auth-clients yes`, Redis's default). */
  cert?: string
  key?: string
}

/** ioredis's own message. ioredis recognises it as an intended close. */
const CLOSED = 'Connection is closed.'

export const placeOf = ({ host, port }: Endpoint): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`

/** Opens sockets for ioredis and handles their errors. */
abstract class Connector extends AbstractConnector {
  /**
   * ioredis listens for one error of a socket. A TLS socket may emit two, and the second one would end the
   * process. So this adds a permanent listener.
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

  /** Every reply that demands a new connection calls this. The first call is enough. */
  override disconnect(): void {
    if (this.connecting || !this.stream?.writableEnded) super.disconnect()
  }
}

/** Connects to the server of `host` and `port` in the connection's options. */
export class ServerConnector extends Connector {
  readonly #options: RedisOptions

  constructor(options: unknown) {
    const { disconnectTimeout = 0 } = options as RedisOptions
    super(disconnectTimeout)
    this.#options = options as RedisOptions
  }

  async connect(): Promise<Socket> {
    this.connecting = true
    // The opener may close the connection in the same turn.
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
  /** Milliseconds to wait before the next round over all Sentinels. */
  pauseMs: (round: number) => number
}

/** Sentinels that are remembered: those of the URL and those that they discover. */
const MOST_SENTINELS = 20

/**
 * Connects to the master that Sentinels name. ioredis has such a connector, with two flaws. It speaks
 * plaintext unless TLS is configured for each kind of server. And it reports `Connection is closed.` for
 * every error of a Sentinel or its certificate.
 */
export const sentinelConnector = (search: SentinelSearch) => {
  const { master, tls, timeoutMs, username, password } = search
  /** The Sentinel that answered last comes first. */
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
    /** Aborts the pause between two rounds. */
    #closed = new AbortController()

    constructor(options: unknown) {
      super((options as RedisOptions).disconnectTimeout ?? 0)
    }

    override disconnect(): void {
      super.disconnect()
      this.#closed.abort()
    }

    /** Whether the server's own role agrees with what the Sentinels said. */
    override check({ role }: { role?: string }): boolean {
      const isMaster = role === undefined || role === 'master'
      // The Sentinel that answered may be out of touch with the others. Ask the others first.
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

/** An error that an operator can fix takes precedence over a temporary one. */
const sumOf = (failures: readonly Error[]): Error =>
  failures.find((error) => error instanceof RedisRefused) ??
  new RedisUnavailable(`No Sentinel names the master. ${failures.map(({ message }) => message).join('; ')}`, {
    cause: failures[0]?.cause,
  })

/** A Sentinel as the others describe it: alternating names and values, or a map. */
const endpointIn = (described: unknown): Endpoint[] => {
  const fields = Array.isArray(described)
    ? Object.fromEntries(Array.from({ length: described.length / 2 }, (_, i) => described.slice(2 * i, 2 * i + 2)))
    : (described as Record<string, unknown>)
  const [host, port, flags] = [String(fields?.ip ?? ''), Number(fields?.port), String(fields?.flags ?? '')]
  return host && port > 0 && !flags.includes('disconnected') ? [{ host, port }] : []
}
