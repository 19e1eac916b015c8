import { once } from 'node:events'
import WebSocket, { type ClientOptions } from 'ws'
import { onCleanup } from './cleanup.ts'
import { createQueues } from './queues.ts'

interface Payloads {
  /** A text frame as it arrived, or the bytes of a binary one. */
  frame: string | Buffer
  close: { code: number; reason: string }
}

/** A client that speaks only plain WebSocket. */
export interface WsClient {
  readonly socket: WebSocket
  /** The node that holds the connection. */
  readonly node: string
  /** The next frame that this method has not returned yet. Rejects after `timeoutMs` (20 s). */
  next(timeoutMs?: number): Promise<string | Buffer>
  /** Frames that `next` has not returned yet. */
  pending(): readonly (string | Buffer)[]
  /** Sends text as it is, or any other value as JSON. */
  send(frame: string | object): void
  /** Sends, and resolves with the next frame. */
  ask(frame: string | object): Promise<string | Buffer>
  /** Resolves with the server's close code and reason. */
  closed(timeoutMs?: number): Promise<Payloads['close']>
  close(): void
}

/** Connects to `/ws` of an origin; rejects when the handshake is refused. */
export const connectWs = async (origin: string, options: ClientOptions = {}): Promise<WsClient> => {
  const socket = new WebSocket(`${origin.replace('http', 'ws')}/ws`, { perMessageDeflate: false, ...options })
  const queues = createQueues<Payloads>(['frame', 'close'])
  socket.on('message', (data: Buffer, isBinary) => queues.push('frame', isBinary ? data : data.toString()))
  socket.on('close', (code, reason) => queues.push('close', { code, reason: reason.toString() }))
  // `close` follows.
  socket.on('error', () => {})
  const close = () => {
    forget()
    socket.terminate()
  }
  const forget = onCleanup(close)
  let node = ''
  socket.once('upgrade', ({ headers }) => {
    node = String(headers['x-saoma-node'])
  })
  await once(socket, 'open')

  const next: WsClient['next'] = (timeoutMs) => queues.next('frame', timeoutMs)
  const send: WsClient['send'] = (frame) => socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame))
  return {
    socket,
    node,
    next,
    pending: () => queues.pending('frame'),
    send,
    ask: (frame) => {
      send(frame)
      return next()
    },
    closed: (timeoutMs) => queues.next('close', timeoutMs),
    close,
  }
}
