import type { ManagerOptions, Socket } from 'socket.io-client'
import { type BackoffOptions, backoffMs } from './backoff.ts'
import { onPageHide } from './page.ts'

/** Names of Socket.IO's own transports, or classes such as those of `createWxTransport`. */
export type Transports = NonNullable<ManagerOptions['transports']>

export interface ConnectionOptions {
  origin: string
  namespace: string
  /** Socket.IO transports in the order of preference. Empty: no socket. */
  transports: Transports
  random: () => number
  /** Additional query parameters of the address. */
  query?: Readonly<Record<string, string>>
  /** Called before each attempt; returns the handshake's `auth`. `undefined`: try again later. */
  auth?: () => Promise<{ token: string; dpop?: string } | undefined>
  /** Called once before the first attempt. Add listeners here. */
  onCreated: (socket: Socket) => void
  onConnected: (socket: Socket) => void
  /** The connection was lost, or an attempt failed. `refusal` is the server's answer to the handshake. */
  onLost: (refusal?: unknown) => void
}

/** A Socket.IO client that reconnects after every loss until closed. */
export interface Connection {
  /** The connection works: after the next loss the back-off starts anew. */
  settle(): void
  /** Drops the present connection and makes another, after the usual back-off. */
  reconnect(): void
  /** Tries now instead of after the back-off: the network is back, or the page is visible again. */
  wake(): void
  close(): void
}

const CONNECT_TIMEOUT_MS = 5_000
/**
 * A lost connection is tried three times within five seconds, whatever the jitter: a waiting person should
 * not notice that a node died.
 */
export const RECONNECT: BackoffOptions = { baseMs: 400, capMs: 10_000 }
/** If a page was left and is not cached, it is gone after this time. */
const LEFT_MS = 10_000
/** A draining server may not postpone a client for longer. Plain HTTP takes over meanwhile. */
const MAX_RESUME_MS = 15_000

export const createConnection = (options: ConnectionOptions): Connection => {
  let socket: Socket | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let attempt = 0
  let turn = 0
  let draining = false
  let replacing = false
  let closed = false

  const drop = (current: Socket) => {
    options.onLost()
    replacing = true
    current.disconnect()
    replacing = false
  }

  const connect = async (): Promise<void> => {
    clearTimeout(timer)
    timer = undefined
    draining = false
    if (!socket) return
    if (socket.connected) drop(socket)
    if (options.auth) {
      const mine = ++turn
      const auth = await options.auth()
      if (closed || mine !== turn) return
      if (!auth) return connectLater()
      socket.auth = auth
    }
    socket.connect()
  }

  const connectIn = (ms: number) => {
    clearTimeout(timer)
    timer = setTimeout(() => void connect(), ms)
  }

  const connectLater = () => connectIn(backoffMs(attempt++, RECONNECT, options.random))

  const lost = (refusal?: unknown) => {
    if (closed || replacing) return
    options.onLost(refusal)
    // A draining server has said when to return. Plain HTTP bridges the time.
    if (!draining && !closed) connectLater()
  }

  const open = async () => {
    if (options.transports.length === 0) return
    // Loaded separately: the page does not wait for it, and if it is blocked, plain HTTP takes over.
    const client = await import('socket.io-client').catch(() => undefined)
    if (closed || !client) return
    const created = client.io(`${options.origin}${options.namespace}`, {
      transports: options.transports,
      tryAllTransports: true,
      reconnection: false,
      forceNew: true,
      autoConnect: false,
      timeout: CONNECT_TIMEOUT_MS,
      ...(options.query ? { query: { ...options.query } } : {}),
    })
    socket = created
    created.on('connect', () => options.onConnected(created))
    created.on('connect_error', (error: Error & { data?: unknown }) => lost(error.data))
    created.on('disconnect', () => lost())
    created.on('drain', (notice?: { resumeAfterMs?: unknown }) => {
      draining = true
      connectIn(Math.min(Math.max(0, Number(notice?.resumeAfterMs) || 0), MAX_RESUME_MS))
    })
    options.onCreated(created)
    await connect()
  }

  /**
   * A page in the back/forward cache would keep its socket, and others would see a person as present who has
   * left. `wake` is called on return.
   */
  const rest = () => {
    if (closed || !socket) return
    turn++
    drop(socket)
    connectIn(LEFT_MS)
  }

  void open()
  const unlisten = onPageHide(rest)

  return {
    settle: () => {
      attempt = 0
    },
    reconnect: () => {
      if (closed || !socket?.connected) return
      drop(socket)
      if (!draining) connectLater()
    },
    wake: () => {
      if (!socket || socket.connected || timer === undefined) return
      attempt = 0
      void connect()
    },
    close: () => {
      closed = true
      unlisten()
      clearTimeout(timer)
      socket?.disconnect()
    },
  }
}
