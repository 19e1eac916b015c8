import { LOGIN_NAMESPACE, LOGIN_ONLY, type LoginClientEvents, type LoginServerEvents } from '@saoma/protocol'
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client'
import { onCleanup } from './cleanup.ts'
import { createQueues, EVENT_TIMEOUT_MS } from './queues.ts'

export type ConnectOptions = Omit<Partial<ManagerOptions & SocketOptions>, 'query'> & {
  /** @default the query for clients that use only this namespace */
  query?: Readonly<Record<string, string>> | undefined
}

type WatchAnswer = Parameters<Parameters<LoginClientEvents['watch']>[1]>[0]
type Lifecycle = 'connect' | 'disconnect' | 'connect_error'
type EventName = keyof LoginServerEvents | Lifecycle

interface Payloads {
  ticket: Parameters<LoginServerEvents['ticket']>[0]
  drain: Parameters<LoginServerEvents['drain']>[0]
  connect: undefined
  /** The reason, in Socket.IO's words. */
  disconnect: string
  connect_error: Error
}

/** A browser's socket in the namespace `/login`. */
export interface LoginClient {
  readonly socket: Socket<LoginServerEvents, LoginClientEvents>
  /**
   * The next event of that name that this method has not returned yet. Events are queued from the start, so
   * the n-th call returns the n-th event, past or future. Rejects after `timeoutMs` (20 s).
   */
  next<E extends EventName>(event: E, timeoutMs?: number): Promise<Payloads[E]>
  /** Queued events of that name. */
  pending<E extends EventName>(event: E): readonly Payloads[E][]
  /** Rejects when there is no ack within `timeoutMs` (20 s). */
  watch(deviceCode: string, timeoutMs?: number): Promise<WatchAnswer>
  close(): void
}

const queued: readonly EventName[] = ['ticket', 'drain', 'connect', 'disconnect', 'connect_error']

/** The two WebSocket doors to `/login`, with their queries. Both must behave alike. */
export const loginDoors: readonly (readonly [name: string, query: Readonly<Record<string, string>>])[] = [
  ['through the door of those who only wait', LOGIN_ONLY],
  ['through Socket.IO', {}],
]

/**
 * Connects like the SDK, with the query for this namespace only, and reconnects like a browser's client.
 * `next('connect')` resolves when it is connected.
 */
export const connectLogin = (origin: string, { query = LOGIN_ONLY, ...options }: ConnectOptions = {}): LoginClient => {
  const socket: LoginClient['socket'] = io(`${origin}${LOGIN_NAMESPACE}`, {
    transports: ['websocket'],
    forceNew: true,
    reconnectionDelay: 100,
    reconnectionDelayMax: 1_000,
    query: { ...query },
    ...options,
  })

  const queues = createQueues<Payloads>(queued)
  for (const event of queued) socket.on(event as 'ticket', (payload: unknown) => queues.push(event, payload))

  const close = () => {
    forget()
    socket.close()
  }
  const forget = onCleanup(close)

  return {
    socket,
    next: queues.next,
    pending: queues.pending,
    watch: (deviceCode, timeoutMs = EVENT_TIMEOUT_MS) => socket.timeout(timeoutMs).emitWithAck('watch', { deviceCode }),
    close,
  }
}
