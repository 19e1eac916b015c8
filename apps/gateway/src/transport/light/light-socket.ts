import type { IncomingMessage } from 'node:http'
import { type Packet, PacketType } from 'socket.io-parser'
import { WebSocket } from 'ws'
import { now } from '../clock.ts'
import type { Guest } from '../guests.ts'
import type { Tcp } from '../socket/engine.ts'
import { STRANGERS_PACKETS, WINDOW_MS } from '../socket/packet-guard.ts'
import {
  BASE64,
  CLOSE,
  createReader,
  type Frame,
  type Frames,
  hasBytes,
  MESSAGE,
  NOOP,
  noNamespaceFrame,
  OPEN,
  openFrame,
  PING,
  PONG,
  pingFrame,
  readPacket,
  UPGRADE,
} from './packets.ts'

/** What all sockets of a door share. */
export interface LightKeeper {
  /** Engine.IO's opening packet. The id is added in front. */
  readonly opening: { pingInterval: number; pingTimeout: number; maxPayload: number }
  readonly nodeId: string
  /** Bytes that may be buffered for a client that keeps sending requests. */
  readonly maxBufferBytes: number
  /** The only namespace of the door, and its frames. */
  readonly namespace: string
  readonly frames: Frames
  cut(reason: string): void
  closed(socket: object, reason: string): void
}

/** How long a connection has to join the namespace, as in Socket.IO. */
const JOIN_MS = 10_000
/** How long it may stay open after it has left the namespace. */
const UNUSED_MS = 30_000
/** Unsent characters that are written without waiting for the end of the turn. */
const MOST_UNSENT = 65_536

/** States of the heartbeat. `#beatAt` is when the next ping is due, or the deadline of its pong. */
const RESTING = 0
const ASKED = 1
/** Another packet came instead of the pong. It extends the deadline once. */
const EXTENDED = 2

/** In the namespace or not. While it is asking, the namespace has not answered its CONNECT yet. */
const OUTSIDE = 0
const ASKING = 1
const INSIDE = 2

/** The table of listeners of an emitter that has none. */
const NOBODY: object = Object.freeze(Object.create(null))

const flush = (socket: { flush(): void }): void => socket.flush()

/**
 * A WebSocket that uses one namespace, with the protocol of Engine.IO and Socket.IO. There are tens of
 * thousands of them, so each is one object: the WebSocket itself with a few fields.
 */
export abstract class LightSocket<Keeper extends LightKeeper = LightKeeper> extends WebSocket implements Guest {
  /** Its id in the namespace. */
  id = ''
  /** By `now()`: when a connection that is not in the namespace is closed. */
  dueAt = 0
  protected keeper!: Keeper
  #tcp!: Tcp
  #place: typeof OUTSIDE | typeof ASKING | typeof INSIDE = OUTSIDE
  #isGone = false
  #beat: typeof RESTING | typeof ASKED | typeof EXTENDED = RESTING
  #beatAt = 0
  /** Packets, and events among them, since the time `#since`. */
  #since = 0
  #packets = 0
  #events = 0
  #mostPackets = STRANGERS_PACKETS
  /** Whole frames that leave at the end of this turn of the event loop, one character a byte. */
  #unsent = ''
  /** The parser of a packet whose binary parts have not all arrived. */
  #reader: ((part: string | Buffer) => Packet | undefined) | undefined = undefined

  /**
   * The client asks for the namespace. Answer with `admit` or `refuse`, now or later; until then it may not
   * ask again.
   */
  protected abstract join(auth: unknown): void
  /** It is in the namespace no more: it has left, or the connection has ended. */
  protected abstract left(): void
  /** Handles an event in the namespace. If the client wants an ack, its function is the last argument. */
  protected abstract handle(name: unknown, args: unknown[]): void

  /** Called once, after the handshake. `id` is the part of the Engine.IO id behind the node's. */
  begin(tcp: Tcp, id: string, keeper: Keeper, _request: IncomingMessage): void {
    this.#tcp = tcp
    this.keeper = keeper
    // Nobody listens, because `emit` is ours. Node makes a table for each emitter all the same, of 184 bytes.
    Object.assign(this, { _events: NOBODY })
    this.id = id
    const { opening, nodeId } = keeper
    this.dueAt = now() + JOIN_MS
    this.#beatAt = now() + opening.pingInterval
    this.write(openFrame({ sid: `${nodeId}-${id}`, upgrades: [], ...opening }))
    this.flush()
  }

  /** Receives the events of ws. A table of listeners for each connection would cost memory. */
  override emit(event: string | symbol, ...args: unknown[]): boolean {
    switch (event) {
      case 'message':
        // With its default `binaryType` ws passes buffers only.
        this.#receive(args[0] as Buffer, args[1] === true ? 'bytes' : 'text')
        return true
      case 'ping':
        this.#receive(args[0] as Buffer, 'ping')
        return true
      case 'error':
        // A broken frame: ws closes the connection itself, with the right code.
        this.gone('transport error')
        return true
      case 'close':
        this.gone('transport close')
        return true
      default:
        return super.emit(event, ...args)
    }
  }

  /** Whether it is in the namespace. */
  get isInside(): boolean {
    return this.#place === INSIDE
  }

  get isOpen(): boolean {
    return !this.#isGone
  }

  get tcp(): Tcp {
    return this.#tcp
  }

  /** Events since the present window of ten seconds began. */
  protected get events(): number {
    return this.#events
  }

  /** Checks the connection's own deadlines. */
  check(at: number): void {
    if (this.#place !== INSIDE && at >= this.dueAt) return this.end('forced close')
    if (at < this.#beatAt) return
    if (this.#beat !== RESTING) return this.end('ping timeout')
    this.#beat = ASKED
    this.#beatAt = at + this.keeper.opening.pingTimeout
    this.write(pingFrame)
  }

  sendAway(resumeAfterMs: number): void {
    this.write(this.keeper.frames.event('drain', { resumeAfterMs }))
  }

  /** Disconnects the client for good, so that it does not come back by itself, and closes the connection. */
  dismiss(): void {
    if (this.#place === INSIDE) this.write(this.keeper.frames.disconnected)
    this.end('forced close')
  }

  /**
   * Closes the connection without a DISCONNECT packet ("disconnected by the server"), after which a client
   * would not reconnect.
   */
  end(reason = 'forced close'): void {
    if (this.#isGone) return
    this.flush()
    this.close()
    this.gone(reason)
  }

  /**
   * Writes past ws, which would frame the bytes again for each connection, and write each piece by itself. ws
   * buffers nothing, because compression is off. Texts of one turn of the event loop leave in one write.
   */
  protected write(frame: Frame): void {
    if (typeof frame !== 'string') {
      this.flush()
      if (this.readyState === WebSocket.OPEN) this.#tcp.write(frame)
      return
    }
    if (this.#unsent === '') process.nextTick(flush, this)
    this.#unsent += frame
    if (this.#unsent.length > MOST_UNSENT) this.flush()
  }

  /** Writes what was sent in this turn. */
  flush(): void {
    const unsent = this.#unsent
    if (unsent === '') return
    this.#unsent = ''
    // Nothing may follow a close frame.
    if (this.readyState === WebSocket.OPEN) this.#tcp.write(unsent, 'latin1')
  }

  /** Admits the client to the namespace. `packets` is its limit in ten seconds from now on. */
  protected admit(packets = STRANGERS_PACKETS): void {
    this.#place = INSIDE
    this.#mostPackets = packets
    this.write(this.keeper.frames.connected(this.id))
  }

  /** Refuses the namespace. The client may ask again. */
  protected refuse(message: string, data: object): void {
    this.#place = OUTSIDE
    this.write(this.keeper.frames.refused(message, data))
  }

  /** The connection has ended. Only the first reason counts. */
  protected gone(reason: string): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#leave()
    this.keeper.closed(this, reason)
  }

  /** Cuts the connection at once: such a client would not read a close frame. */
  #cutOff(reason: string): void {
    this.keeper.cut(reason)
    this.close()
    this.terminate()
    this.gone('forced close')
  }

  /** Handles data from the client. WebSocket pings count as packets too. */
  #receive(data: Buffer, kind: 'text' | 'bytes' | 'ping'): void {
    if (this.#isGone) return
    const at = now()
    if (at - this.#since > WINDOW_MS) {
      this.#since = at
      this.#packets = 0
      this.#events = 0
    }
    if (++this.#packets > this.#mostPackets) return this.#cutOff('flood')
    if (this.bufferedAmount > this.keeper.maxBufferBytes) return this.#cutOff('slow')
    if (kind === 'ping') return this.pong(data)
    const text = kind === 'text' ? data.toString() : undefined
    if (this.#beat === ASKED && text !== PONG) {
      this.#beat = EXTENDED
      this.#beatAt = at + this.keeper.opening.pingTimeout
    }
    if (text === undefined) return this.#read(data)
    switch (text[0]) {
      case PONG:
        this.#beat = RESTING
        this.#beatAt = at + this.keeper.opening.pingInterval
        return
      case MESSAGE:
        return text.length > 1 ? this.#read(text.slice(1)) : this.end()
      case BASE64:
        return this.#read(Buffer.from(text.slice(1), 'base64'))
      case PING:
        // Only the server may send pings.
        return this.end('transport error')
      case OPEN:
      case CLOSE:
      case UPGRADE:
      case NOOP:
        return
      default:
        return this.end('parse error')
    }
  }

  #read(part: string | Buffer): void {
    try {
      if (!this.#reader && typeof part === 'string' && !hasBytes(part)) return this.#take(readPacket(part))
      this.#reader ??= createReader()
      const packet = this.#reader(part)
      if (!packet) return
      this.#reader = undefined
      this.#take(packet)
    } catch {
      // Not a Socket.IO packet.
      this.end()
    }
  }

  #take({ type, nsp, id, data }: Packet): void {
    if (type === PacketType.CONNECT) return this.#ask(nsp, data)
    if (this.#place !== INSIDE || nsp !== this.keeper.namespace) return this.end()
    switch (type) {
      case PacketType.EVENT:
      case PacketType.BINARY_EVENT:
        return this.#handle(id, data)
      case PacketType.DISCONNECT:
        this.#leave()
        this.dueAt = now() + UNUSED_MS
        return
      case PacketType.ACK:
      case PacketType.BINARY_ACK:
        // The server never requests an ack.
        return
      default:
        return this.end()
    }
  }

  #ask(namespace: string, auth: unknown): void {
    if (namespace !== this.keeper.namespace) return this.write(noNamespaceFrame(namespace))
    if (this.#place === ASKING) return this.#cutOff('protocol')
    if (this.#place === INSIDE) return this.end()
    this.#place = ASKING
    this.join(auth)
  }

  #leave(): void {
    if (this.#place !== INSIDE) return
    this.#place = OUTSIDE
    this.left()
  }

  #handle(id: number | undefined, [name, ...args]: unknown[] = []): void {
    this.#events++
    if (id !== undefined) args.push((answer: object) => this.write(this.keeper.frames.ack(id, answer)))
    this.handle(name, args)
  }
}
