import type { ManagerOptions, Socket } from 'socket.io-client'
import { type BackoffOptions, backoffMs } from './backoff.ts'
import { onPageHide } from './page.ts'

/** Names of Socket.IO's own transports, or classes, like `createWxTransport` makes one. */
export type Transports = NonNullable<ManagerOptions['transports']>

export interface ConnectionOptions {
  origin: string
  namespace: string
  /** Socket.IO transports, in the order they are tried. Empty: no socket at all. */
  transports: Transports
  random: () => number
  /** What the address says besides. */
  query?: Readonly<Record<string, string>>
  /** Asked before each attempt: what the handshake says of us. `undefined`: not now, try again later. */
  auth?: () => Promise<{ token: string } | undefined>
  /** Told once, before the first attempt: the place to add listeners. */
  onCreated: (socket: Socket) => void
  onConnected: (socket: Socket) => void
  /**
   * There is no connection any more, or an attempt failed; `refusal` is what the server said to the
   * handshake.
   */
  onLost: (refusal?: unknown) => void
}

/** A Socket.IO client that connects again after every loss, for as long as it takes. */
export interface Connection {
  /** The connection has proven its worth: the next loss begins with a short wait again. */
  settle(): void
  /** Lets the present connection go and makes another, after the usual wait. */
  reconnect(): void
  /** Tries now instead of at the end of the wait: the network came back, the page was shown again. */
  wake(): void
  close(): void
}

const CONNECT_TIMEOUT_MS = 5_000
/** Small at first: a node that died costs a person well under a second. */
/**
 * A connection that is lost is tried three times within five seconds, however the dice fall: who waits should
 * not see that a node died.
 */
export const RECONNECT: BackoffOptions = { baseMs: 400, capMs: 10_000 }
/** A page that was left and is not kept is gone by then. */
const LEFT_MS = 10_000
/** A server may not put us off for longer; plain HTTP stands in meanwhile. */
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
    // A draining server has told us when to return; the time between is spent on plain HTTP.
    if (!draining && !closed) connectLater()
  }

  const open = async () => {
    if (options.transports.length === 0) return
    // Loaded on its own: the page is there before this arrives, and where it is blocked plain HTTP does the
    // work.
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
   * A page kept for a return would keep its socket too, and others would see somebody who is not there.
   * `wake` comes with the return.
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
