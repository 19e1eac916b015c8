import { isIP } from 'node:net'
import { NodeWebSocket } from 'engine.io-client'
import { Agent, fetch as undiciFetch } from 'undici'
import { WebSocket } from 'ws'
import type { Recorder } from './recorder.ts'

/** How a worker's clients reach the server. */
export interface Network {
  /** Counts refused and broken requests. The callers retry, so these are not errors yet. */
  fetch: typeof fetch
  /** Socket.IO's WebSocket transport, which counts in the same way. */
  transport: typeof NodeWebSocket
  /** Opens a bare WebSocket to a path of the server. */
  dial(path: string): WebSocket
  close(): Promise<void>
}

/** Maximum of HTTP connections per worker. Further requests queue, and their times include the wait. */
const CONNECTIONS = 256
const HANDSHAKE_MS = 10_000
/** Ports for explicit use on a worker's address. The kernel does not choose them by itself. */
const PORTS = { first: 1_024, last: 32_767 }
/** The error of `ws` when its user closes it before it is open. The SDK does so after five seconds. */
const GIVEN_UP = /closed before the connection was established/

/**
 * On one machine each worker has an IP address of its own. A pair of addresses has only 28,000 connections,
 * and rate limits count per address.
 */
export const sourceAddress = (url: string, index: number): string | undefined => {
  const { hostname } = new URL(url)
  const isLoopback = hostname === 'localhost' || (isIP(hostname) === 4 && hostname.startsWith('127.'))
  // 127.0.0.1 is for everything else. macOS has no other loopback address.
  if (!isLoopback || process.platform !== 'linux') return undefined
  return `127.0.${1 + Math.floor(index / 250)}.${2 + (index % 250)}`
}

const codeOf = (body: unknown): string => {
  const { code, error } = Object(body) as { code?: unknown; error?: unknown }
  return typeof code === 'string' ? ` ${code}` : typeof error === 'string' ? ` ${error}` : ''
}

const brokenBy = (error: unknown): string => {
  const { name, cause, code } = Object(error) as {
    name?: string
    code?: string
    cause?: { code?: string; name?: string }
  }
  return `broken: ${cause?.code ?? code ?? cause?.name ?? name ?? 'unknown'}`
}

/** @param index  number of this worker, for its source address */
export const createNetwork = (recorder: Recorder, url: string, index: number): Network => {
  const localAddress = sourceAddress(url, index)
  const origin = new URL(url).origin
  const agent = new Agent({
    connections: CONNECTIONS,
    connect: { timeout: HANDSHAKE_MS, ...(localAddress ? { localAddress, family: 4 } : {}) },
  })

  const counted = async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    try {
      // The same interface from two sources: Node's own types, and those of undici, which Node's fetch is
      // made of.
      const options = { ...init, dispatcher: agent } as Parameters<typeof undiciFetch>[1]
      const response = (await undiciFetch(String(input), options)) as unknown as Response
      if (response.status === 429 || response.status >= 500) {
        const body: unknown = await response
          .clone()
          .json()
          .catch(() => undefined)
        recorder.refuse(`${response.status}${codeOf(body)}`)
      }
      return response
    } catch (error) {
      // An abort by the caller is not the server's fault.
      const { signal } = init
      if (!signal?.aborted || Object(signal.reason).name === 'TimeoutError') recorder.refuse(brokenBy(error))
      throw error
    }
  }

  const options = {
    perMessageDeflate: false,
    skipUTF8Validation: true,
    handshakeTimeout: HANDSHAKE_MS,
    origin,
    // `localhost` may also be IPv6, which no address of 127.0.0.0/8 can reach.
    ...(localAddress ? { localAddress, family: 4 } : {}),
  }

  // Ports in turn. Otherwise the kernel searches for a free port among all that are bound on the machine;
  // with 70,000 of them that took a third of two cores. When our ports run out, the kernel chooses.
  const taken = new Set<number>()
  let last = PORTS.last
  const takePort = (): number | undefined => {
    if (!localAddress || taken.size > PORTS.last - PORTS.first) return undefined
    do last = last < PORTS.last ? last + 1 : PORTS.first
    while (taken.has(last))
    taken.add(last)
    return last
  }

  const open = (target: string): WebSocket => {
    const localPort = takePort()
    const socket = new WebSocket(target, localPort ? { ...options, localPort } : options)
    if (localPort) socket.once('close', () => taken.delete(localPort))
    socket.on('error', ({ message, code }: Error & { code?: string }) => {
      const status = /Unexpected server response: (\d+)/.exec(message)?.[1]
      if (status) return recorder.refuse(`${status} at a handshake`)
      recorder.refuse(GIVEN_UP.test(message) ? 'a handshake that took too long' : `broken socket: ${code ?? message}`)
    })
    return socket
  }

  return {
    fetch: counted,
    transport: class extends NodeWebSocket {
      override createSocket(target: string) {
        return open(target)
      }
    },
    dial: (path) => {
      const target = new URL(path, origin)
      target.protocol = target.protocol === 'https:' ? 'wss:' : 'ws:'
      return open(target.href)
    },
    close: () => agent.destroy(),
  }
}
