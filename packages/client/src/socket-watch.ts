import {
  LOGIN_NAMESPACE,
  type LoginClientEvents,
  type LoginServerEvents,
  parseTicketState,
  type Refusal,
  type TicketState,
} from '@saoma/protocol'
import type { Socket } from 'socket.io-client'
import { backoffMs } from './backoff.ts'
import type { Failure } from './request.ts'

export interface SocketWatchOptions {
  origin: string
  deviceCode: string
  /** Socket.IO transports, in the order they are tried. Empty: no socket at all. */
  transports: string[]
  random: () => number
  onState: (state: TicketState) => void
  /** True once the server has confirmed that no later transition can be missed; false when that is lost. */
  onWatching: (watching: boolean) => void
  /** The server will not let us watch this ticket, now or later. */
  onRefused: (failure: Failure) => void
}

export interface SocketWatch {
  /** Tries now instead of at the end of the back-off: the network came back, the page was shown again. */
  wake(): void
  close(): void
}

const CONNECT_TIMEOUT_MS = 5_000
const ACK_TIMEOUT_MS = 5_000
/** Small at first: a node that died costs the person waiting in front of the code well under a second. */
const RECONNECT = { baseMs: 400, capMs: 10_000 }
/** A server may not put us off for longer; the long poll stands in meanwhile. */
const MAX_RESUME_MS = 15_000

type LoginSocket = Socket<LoginServerEvents, LoginClientEvents>

/** Watches one ticket over Socket.IO, for as long as it takes: connects again after every loss and watches again after every connect. */
export const createSocketWatch = (options: SocketWatchOptions): SocketWatch => {
  let socket: LoginSocket | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let attempt = 0
  let draining = false
  let replacing = false
  let closed = false

  const connect = () => {
    clearTimeout(timer)
    timer = undefined
    draining = false
    if (socket?.connected) {
      options.onWatching(false)
      replacing = true
      socket.disconnect()
      replacing = false
    }
    socket?.connect()
  }

  const connectIn = (ms: number) => {
    clearTimeout(timer)
    timer = setTimeout(connect, ms)
  }

  const lost = () => {
    if (closed || replacing) return
    options.onWatching(false)
    // A draining server has told us when to return; the time between is spent on the long poll.
    if (!draining) connectIn(backoffMs(attempt++, RECONNECT, options.random))
  }

  const watch = async (current: LoginSocket) => {
    const { id } = current
    const answer: { ok: true; state: TicketState } | Refusal | undefined = await current
      .timeout(ACK_TIMEOUT_MS)
      .emitWithAck('watch', { deviceCode: options.deviceCode })
      .catch(() => undefined)
    if (closed || current.id !== id) return // Another connection has begun, and its own watch with it.
    if (answer && !answer.ok && answer.react !== 'retry') {
      const { code, react, message } = answer
      return options.onRefused({ ok: false, code, react, message })
    }
    const state = answer?.ok ? parseTicketState(answer.state) : undefined
    if (!state?.ok) {
      current.disconnect()
      return
    }
    attempt = 0
    options.onWatching(true)
    options.onState(state.value)
  }

  const open = async () => {
    if (options.transports.length === 0) return
    // Loaded on its own: the page shows its code before this arrives, and where it is blocked the long poll does the work.
    const client = await import('socket.io-client').catch(() => undefined)
    if (closed || !client) return
    const created: LoginSocket = client.io(new URL(LOGIN_NAMESPACE, options.origin).href, {
      transports: options.transports,
      tryAllTransports: true,
      reconnection: false,
      forceNew: true,
      autoConnect: false,
      timeout: CONNECT_TIMEOUT_MS,
    })
    socket = created
    created.on('connect', () => void watch(created))
    created.on('connect_error', lost)
    created.on('disconnect', lost)
    created.on('ticket', (state) => {
      const parsed = parseTicketState(state)
      if (parsed.ok) options.onState(parsed.value)
    })
    created.on('drain', (notice) => {
      draining = true
      connectIn(Math.min(Math.max(0, Number(notice?.resumeAfterMs) || 0), MAX_RESUME_MS))
    })
    created.connect()
  }

  void open()

  return {
    wake: () => {
      if (!socket || socket.connected || timer === undefined) return
      attempt = 0
      connect()
    },
    close: () => {
      closed = true
      clearTimeout(timer)
      socket?.disconnect()
    },
  }
}
