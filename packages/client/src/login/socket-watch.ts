import {
  LOGIN_NAMESPACE,
  LOGIN_ONLY,
  type LoginClientEvents,
  type LoginServerEvents,
  parseTicketState,
  type Refusal,
  type TicketState,
} from '@saoma/protocol'
import type { Socket } from 'socket.io-client'
import { createConnection, type Transports } from '../core/connection.ts'
import type { Failure } from '../core/request.ts'

export interface SocketWatchOptions {
  origin: string
  deviceCode: string
  /** Socket.IO transports in the order of preference. Empty: no socket. */
  transports: Transports
  random: () => number
  onState: (state: TicketState) => void
  /** True once the server has confirmed that no later transition can be missed. False when that is lost. */
  onWatching: (watching: boolean) => void
  /** The server refuses this ticket for good. */
  onRefused: (failure: Failure) => void
}

export interface SocketWatch {
  /** Retries now instead of after the back-off: the network is back, or the page is visible again. */
  wake(): void
  close(): void
}

const ACK_TIMEOUT_MS = 5_000

type LoginSocket = Socket<LoginServerEvents, LoginClientEvents>

/** Watches one ticket over Socket.IO until closed. It watches again after every connect. */
export const createSocketWatch = (options: SocketWatchOptions): SocketWatch => {
  let closed = false

  const watch = async (current: LoginSocket) => {
    const { id } = current
    const answer: { ok: true; state: TicketState } | Refusal | undefined = await current
      .timeout(ACK_TIMEOUT_MS)
      .emitWithAck('watch', { deviceCode: options.deviceCode })
      .catch(() => undefined)
    if (closed || current.id !== id) return // Another connection has begun, with its own watch.
    if (answer && !answer.ok && answer.react !== 'retry') {
      const { code, react, message } = answer
      return options.onRefused({ ok: false, code, react, message })
    }
    const state = answer?.ok ? parseTicketState(answer.state) : undefined
    if (!state?.ok) return connection.reconnect()
    connection.settle()
    options.onWatching(true)
    options.onState(state.value)
  }

  const connection = createConnection({
    origin: options.origin,
    namespace: LOGIN_NAMESPACE,
    query: LOGIN_ONLY,
    transports: options.transports,
    random: options.random,
    onCreated: (socket) => {
      socket.on('ticket', (state: unknown) => {
        const parsed = parseTicketState(state)
        if (parsed.ok) options.onState(parsed.value)
      })
    },
    onConnected: (socket) => void watch(socket),
    onLost: () => options.onWatching(false),
  })

  return {
    wake: connection.wake,
    close: () => {
      closed = true
      connection.close()
    },
  }
}
