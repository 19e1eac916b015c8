import { LOGIN_NAMESPACE, type LoginClientEvents, type LoginServerEvents } from '@saoma/protocol'
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client'
import { onCleanup } from './cleanup.ts'

export type ConnectOptions = Partial<ManagerOptions & SocketOptions>

type WatchAnswer = Parameters<Parameters<LoginClientEvents['watch']>[1]>[0]
type Lifecycle = 'connect' | 'disconnect' | 'connect_error'
type EventName = keyof LoginServerEvents | Lifecycle

interface Payloads {
  ticket: Parameters<LoginServerEvents['ticket']>[0]
  drain: Parameters<LoginServerEvents['drain']>[0]
  connect: undefined
  /** Why, in Socket.IO's words. */
  disconnect: string
  connect_error: Error
}

/** A browser's socket in the namespace `/login`. */
export interface LoginClient {
  readonly socket: Socket<LoginServerEvents, LoginClientEvents>
  /**
   * The next event of that name that this method has not given yet: events are queued from the start, so the n-th call gives the
   * n-th event, whether it has come or not. Rejects after `timeoutMs` (10 s).
   */
  next<E extends EventName>(event: E, timeoutMs?: number): Promise<Payloads[E]>
  /** Events of that name that came and that `next` has not given. */
  pending<E extends EventName>(event: E): readonly Payloads[E][]
  /** Rejects when there is no ack within `timeoutMs` (10 s). */
  watch(deviceCode: string, timeoutMs?: number): Promise<WatchAnswer>
  close(): void
}

const EVENT_TIMEOUT_MS = 10_000
const queued: readonly EventName[] = ['ticket', 'drain', 'connect', 'disconnect', 'connect_error']

interface Queue {
  arrived: unknown[]
  waiting: ((payload: unknown) => void)[]
}

/** Starts to connect, and reconnects by itself like a browser's client; `next('connect')` tells when. */
export const connectLogin = (origin: string, options: ConnectOptions = {}): LoginClient => {
  const socket: LoginClient['socket'] = io(`${origin}${LOGIN_NAMESPACE}`, {
    transports: ['websocket'],
    forceNew: true,
    reconnectionDelay: 100,
    reconnectionDelayMax: 1_000,
    ...options,
  })

  const queues = new Map<EventName, Queue>(queued.map((event) => [event, { arrived: [], waiting: [] }]))
  const queue = (event: EventName): Queue => {
    const found = queues.get(event)
    if (!found) throw new TypeError(`nobody listens for ${event}`)
    return found
  }
  for (const event of queued) {
    socket.on(event as 'ticket', (payload: unknown) => {
      const { arrived, waiting } = queue(event)
      const waiter = waiting.shift()
      if (waiter) waiter(payload)
      else arrived.push(payload)
    })
  }

  const close = () => {
    forget()
    socket.close()
  }
  const forget = onCleanup(close)

  return {
    socket,
    next: <E extends EventName>(event: E, timeoutMs = EVENT_TIMEOUT_MS) => {
      const { arrived, waiting } = queue(event)
      if (arrived.length > 0) return Promise.resolve(arrived.shift() as Payloads[E])
      return new Promise<Payloads[E]>((resolve, reject) => {
        const waiter = (payload: unknown) => {
          clearTimeout(timer)
          resolve(payload as Payloads[E])
        }
        const timer = setTimeout(() => {
          waiting.splice(waiting.indexOf(waiter), 1)
          reject(new Error(`no ${event} within ${timeoutMs} ms`))
        }, timeoutMs)
        waiting.push(waiter)
      })
    },
    pending: (event) => [...queue(event).arrived] as Payloads[typeof event][],
    watch: (deviceCode, timeoutMs = EVENT_TIMEOUT_MS) => socket.timeout(timeoutMs).emitWithAck('watch', { deviceCode }),
    close,
  }
}
