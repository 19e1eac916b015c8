import type { LogEntry, Signal } from '@saoma/channels'
import { WebSocket } from 'ws'
import { type DirectWebSocket, directOf } from '../../transport/socket/direct-web-socket.ts'
import {
  bufferedBytes,
  type EngineConnection,
  engineOf,
  isOpen,
  queuedBytes,
  type Tcp,
  tcpOf,
  webSocketOf,
  writeFrames,
} from '../../transport/socket/engine.ts'
import type { Endpoint, Notice, NoticeBody } from '../endpoint.ts'
import { type Frames, framesOf, framesOfSignal } from './frames.ts'
import type { LiveSocket } from './live-socket.ts'
import { closeSlowReader } from './slow-reader.ts'

/**
 * A Socket.IO client, over WebSocket or HTTP long-polling. It is a class because with thousands of readers
 * the cost of a delivery is the number of objects to load from memory.
 */
export class SocketIoEndpoint implements Endpoint {
  readonly #socket: LiveSocket
  readonly #engine: EngineConnection
  readonly #maxBufferBytes: number
  #transport: DirectWebSocket | undefined
  #webSocket: WebSocket | undefined
  #tcp: Tcp | undefined
  /** Bytes passed to Engine.IO since its queue was last empty. Engine.IO counts packets only. */
  #queued = 0
  #cut = false

  constructor(socket: LiveSocket, maxBufferBytes: number) {
    this.#socket = socket
    this.#engine = engineOf(socket.conn)
    this.#maxBufferBytes = maxBufferBytes
  }

  get id(): string {
    return this.#socket.id
  }

  get connection(): string {
    return this.#engine.id
  }

  get address(): string {
    return this.#engine.remoteAddress
  }

  get door(): string {
    return '/socket.io/'
  }

  get isOpen(): boolean {
    return isOpen(this.#engine)
  }

  messages(batch: readonly LogEntry[]): number | 'slow' {
    if (this.#cut) return 'slow'
    const frames = framesOf(batch)
    const tcp = this.#clearWay()
    if ((tcp ? tcp.writableLength : this.#buffered()) > this.#maxBufferBytes) return this.#cutOff()
    if (tcp) frames.write(tcp)
    else this.#enqueue(frames)
    return frames.size
  }

  isSlow(): boolean {
    if (this.#cut) return true
    // Reading Engine.IO's queue is too slow to do it with every message.
    const waiting = Math.max(this.#buffered(), queuedBytes(this.#engine))
    return waiting > this.#maxBufferBytes && this.#cutOff() === 'slow'
  }

  signal(signal: Signal): number | 'dropped' {
    if (this.#cut) return 'dropped'
    const tcp = this.#clearWay()
    const isBehind = tcp ? tcp.writableLength > 0 : this.#buffered() > 0 || !this.#engine.transport.writable
    if (isBehind) return 'dropped'
    const frames = framesOfSignal(signal)
    if (tcp) frames.write(tcp)
    else this.#enqueue(frames)
    return frames.size
  }

  tell<N extends Notice>(notice: N, body: NoticeBody<N>): void {
    // The types of the server do not express that the body belongs to the notice.
    this.#socket.emit(notice as 'drain', body as NoticeBody<'drain'>)
  }

  dismiss(): void {
    this.#socket.disconnect(true)
  }

  /**
   * The TCP connection for direct writes past Engine.IO and ws, whose queues and events cost more than the
   * write. It is available once all earlier data has reached the TCP connection: Engine.IO's queue is empty,
   * its transport has written what it gathered, and ws buffers nothing because compression is off.
   */
  #clearWay(): Tcp | undefined {
    if (this.#engine.writeBuffer.length > 0) return undefined
    if (!this.#tcp) {
      this.#transport = directOf(this.#engine)
      this.#webSocket = webSocketOf(this.#engine)
      this.#tcp = tcpOf(this.#engine)
    }
    if (this.#webSocket?.readyState !== WebSocket.OPEN) return undefined
    this.#transport?.flush()
    return this.#tcp
  }

  #buffered(): number {
    if (this.#engine.writeBuffer.length === 0) this.#queued = 0
    return this.#queued + bufferedBytes(this.#engine)
  }

  #enqueue(frames: Frames): void {
    const engine = this.#engine
    const [first] = frames.texts
    if (webSocketOf(engine)) writeFrames(engine, first, frames.bytes)
    else for (const text of frames.texts) engine.write(text)
    if (engine.writeBuffer.length > 0) this.#queued += frames.size
  }

  #cutOff(): 'slow' {
    this.#cut = true
    const webSocket = webSocketOf(this.#engine)
    if (webSocket) closeSlowReader(webSocket)
    // The client would never read what is queued, so discard it.
    this.#engine.close(true)
    return 'slow'
  }
}
