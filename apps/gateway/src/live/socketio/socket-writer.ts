import type { LogEntry, Signal } from '@saoma/channels'
import type { Socket } from 'socket.io'
import { WebSocket } from 'ws'
import { type Frames, framesOf, framesOfSignal } from './frames.ts'

/** What the plain WebSocket door adds to the connection that it hands to Socket.IO. */
export interface PlainConnection {
  /** Writes a burst of one channel in its own format; returns the bytes. */
  deliver(batch: readonly LogEntry[]): number
  /** Bytes that the client has not taken yet. */
  readonly bufferedAmount: number
  /** Says why, then ends the connection whether or not the client listens. */
  terminate(code: number, reason: string): void
}

/** Where the messages for one socket go out, and how much of them has not been taken yet. */
export interface SocketWriter {
  /** Returns bytes written, or `slow` when the reader has more than the cap waiting: it was cut off. */
  messages(batch: readonly LogEntry[]): number | 'slow'
  /** Whether the reader has more than the cap waiting, of whatever kind: it was cut off. */
  isSlow(): boolean
  /** Signals may be lost: one is dropped when the reader is behind. */
  signal(signal: Signal): number | 'dropped'
}

/** The TCP connection below a WebSocket. */
interface Tcp {
  readonly writableLength: number
  write(bytes: Buffer): boolean
}

/** The part of a connection that is used here; some of it is private in the types of Engine.IO and ws. */
interface Connection {
  readonly transport: { name: string; writable: boolean; socket?: WebSocket & { readonly _socket?: Tcp } }
  readonly writeBuffer: readonly { data?: string | Buffer }[]
  write(data: string, options?: object): unknown
  close(discard?: boolean): unknown
}

/** WebSocket close code "try again later". */
const TRY_AGAIN_LATER = 1013
/** How long a reader that does not read may take to take the close frame. */
const LAST_FRAME_MS = 2_000

/**
 * Classes, because with thousands of readers a delivery costs as much as the objects it has to find in
 * memory.
 */
class EngineOutlet implements SocketWriter {
  readonly #connection: Connection
  readonly #maxBufferBytes: number
  #webSocket: WebSocket | undefined
  #tcp: Tcp | undefined
  /** Bytes handed over since Engine.IO's own queue was last empty: it counts packets only. */
  #queued = 0
  #cut = false

  constructor(connection: Connection, maxBufferBytes: number) {
    this.#connection = connection
    this.#maxBufferBytes = maxBufferBytes
  }

  messages(batch: readonly LogEntry[]): number | 'slow' {
    if (this.#cut) return 'slow'
    const frames = framesOf(batch)
    const tcp = this.#clearWay()
    if ((tcp ? tcp.writableLength : this.#buffered()) > this.#maxBufferBytes) return this.#cutOff()
    if (tcp) tcp.write(frames.bytes)
    else this.#enqueue(frames)
    return frames.bytes.length
  }

  isSlow(): boolean {
    // What Engine.IO has queued, answers to the client's questions included; too slow to be asked with every
    // message.
    const waiting = this.#connection.writeBuffer.reduce((sum, { data }) => sum + (data?.length ?? 0), 0)
    if (!this.#cut && Math.max(this.#buffered(), waiting) <= this.#maxBufferBytes) return false
    this.#cutOff()
    return true
  }

  signal(signal: Signal): number | 'dropped' {
    if (this.#cut) return 'dropped'
    const tcp = this.#clearWay()
    const isBehind = tcp ? tcp.writableLength > 0 : this.#buffered() > 0 || !this.#connection.transport.writable
    if (isBehind) return 'dropped'
    const frames = framesOfSignal(signal)
    if (tcp) tcp.write(frames.bytes)
    else this.#enqueue(frames)
    return frames.bytes.length
  }

  /**
   * The way past Engine.IO and ws, whose queues and events cost more than the write. It is clear when all
   * that was said before has reached the TCP connection: Engine.IO has nothing queued, and ws keeps nothing
   * back because nothing is compressed.
   */
  #clearWay(): Tcp | undefined {
    const { transport, writeBuffer } = this.#connection
    if (writeBuffer.length > 0) return undefined
    if (!this.#tcp && transport.name === 'websocket') {
      this.#webSocket = transport.socket
      this.#tcp = transport.socket?._socket
    }
    return this.#webSocket?.readyState === WebSocket.OPEN ? this.#tcp : undefined
  }

  #buffered(): number {
    const { transport, writeBuffer } = this.#connection
    if (writeBuffer.length === 0) this.#queued = 0
    return this.#queued + (transport.socket?.bufferedAmount ?? 0)
  }

  #enqueue({ texts, bytes }: Frames): void {
    const connection = this.#connection
    // Engine.IO sends pre-encoded frames as they are, so a burst is one packet to it and one write to the
    // system.
    if (connection.transport.name === 'websocket')
      connection.write(texts[0], { compress: false, wsPreEncodedFrame: [bytes] })
    else for (const text of texts) connection.write(text)
    if (connection.writeBuffer.length > 0) this.#queued += bytes.length
  }

  #cutOff(): 'slow' {
    if (this.#cut) return 'slow'
    this.#cut = true
    const { socket } = this.#connection.transport
    if (socket) {
      socket.close(TRY_AGAIN_LATER, 'SLOW_READER')
      setTimeout(() => socket.terminate(), LAST_FRAME_MS).unref()
    }
    // What waits in the queue would never be taken either.
    this.#connection.close(true)
    return 'slow'
  }
}

class PlainOutlet implements SocketWriter {
  readonly #connection: Connection & PlainConnection
  readonly #maxBufferBytes: number
  #cut = false

  constructor(connection: Connection & PlainConnection, maxBufferBytes: number) {
    this.#connection = connection
    this.#maxBufferBytes = maxBufferBytes
  }

  messages(batch: readonly LogEntry[]): number | 'slow' {
    return this.isSlow() ? 'slow' : this.#connection.deliver(batch)
  }

  isSlow(): boolean {
    if (!this.#cut && this.#connection.bufferedAmount <= this.#maxBufferBytes) return false
    if (!this.#cut) this.#connection.terminate(TRY_AGAIN_LATER, 'SLOW_READER')
    this.#cut = true
    return true
  }

  signal(signal: Signal): number | 'dropped' {
    if (this.#cut || this.#connection.bufferedAmount > 0) return 'dropped'
    // It reads Socket.IO's packets and says them in its own words.
    const { texts, bytes } = framesOfSignal(signal)
    for (const text of texts) this.#connection.write(text)
    return bytes.length
  }
}

export const createSocketWriter = (engine: Socket['conn'], maxBufferBytes: number): SocketWriter => {
  const connection = engine as unknown as Connection & PlainConnection
  return connection.transport.name === 'plain'
    ? new PlainOutlet(connection, maxBufferBytes)
    : new EngineOutlet(connection, maxBufferBytes)
}
