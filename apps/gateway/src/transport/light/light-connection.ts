import type { IncomingMessage } from 'node:http'
import { WebSocket } from 'ws'
import { now } from '../clock.ts'
import { cutIfEnded, type Tcp } from '../socket/engine.ts'
import { MOST_UNSENT } from '../socket/frame.ts'
import { STRANGERS_PACKETS, WINDOW_MS } from '../socket/packet-guard.ts'
import { BASE64, CLOSE, type Frame, MESSAGE, NOOP, OPEN, openFrame, PING, PONG, pingFrame, UPGRADE } from './packets.ts'

/** What all connections of a door share. */
export interface ConnectionKeeper {
  /** Engine.IO's opening packet. The id is added in front. */
  readonly opening: { pingInterval: number; pingTimeout: number; maxPayload: number }
  readonly nodeId: string
  /** Bytes that may be buffered for a client that keeps sending requests. */
  readonly maxBufferBytes: number
  cut(reason: string): void
  closed(connection: object, reason: string): void
}

/** States of the heartbeat. `#beatAt` is when the next ping is due, or the deadline of its pong. */
const RESTING = 0
const ASKED = 1
/** Another packet came instead of the pong. It extends the deadline once. */
const EXTENDED = 2

/** The table of listeners of an emitter that has none. */
const NOBODY: object = Object.freeze(Object.create(null))

const flush = (connection: { flush(): void }): void => connection.flush()

/**
 * A WebSocket with the protocol of Engine.IO. There are tens of thousands of them, so each is one object: the
 * WebSocket itself with a few fields.
 */
export abstract class LightConnection<Keeper extends ConnectionKeeper> extends WebSocket {
  id = ''
  protected keeper!: Keeper
  #tcp!: Tcp
  #isGone = false
  #beat: typeof RESTING | typeof ASKED | typeof EXTENDED = RESTING
  #beatAt = 0
  /** Packets since the time `#since`. */
  #since = 0
  #packets = 0
  /** Events among them. */
  protected events = 0
  /** Packets that it may send in one window. */
  protected mostPackets = STRANGERS_PACKETS
  /** Whole frames that leave at the end of this turn of the event loop, one character a byte. */
  #unsent = ''

  /** Handles what a message carries. */
  protected abstract read(part: string | Buffer): void
  /** The connection has ended. Called once. */
  protected abstract ended(): void

  /** Called once, after the handshake. `id` is the part of the Engine.IO id behind the node's. */
  begin(tcp: Tcp, id: string, keeper: Keeper, _request: IncomingMessage): void {
    this.#tcp = tcp
    this.keeper = keeper
    // Nobody listens, because `emit` is ours. Node makes a table for each emitter all the same, of 184 bytes.
    Object.assign(this, { _events: NOBODY })
    this.id = id
    const { opening, nodeId } = keeper
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

  get isOpen(): boolean {
    return !this.#isGone
  }

  get tcp(): Tcp {
    return this.#tcp
  }

  /** Checks the heartbeat. */
  check(at: number): void {
    if (at < this.#beatAt) return
    if (this.#beat !== RESTING) return this.end('ping timeout')
    this.#beat = ASKED
    this.#beatAt = at + this.keeper.opening.pingTimeout
    this.write(pingFrame)
  }

  /** Closes the connection, after what was written to it. */
  end(reason = 'forced close'): void {
    if (this.#isGone) return
    this.flush()
    this.close()
    cutIfEnded(this)
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

  /** The connection has ended. Only the first reason counts. */
  protected gone(reason: string): void {
    if (this.#isGone) return
    this.#isGone = true
    this.ended()
    this.keeper.closed(this, reason)
  }

  /** Cuts the connection at once: such a client would not read a close frame. */
  protected cutOff(reason: string): void {
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
      this.events = 0
    }
    if (++this.#packets > this.mostPackets) return this.cutOff('flood')
    if (this.bufferedAmount > this.keeper.maxBufferBytes) return this.cutOff('slow')
    if (kind === 'ping') return this.pong(data)
    const text = kind === 'text' ? data.toString() : undefined
    if (this.#beat === ASKED && text !== PONG) {
      this.#beat = EXTENDED
      this.#beatAt = at + this.keeper.opening.pingTimeout
    }
    if (text === undefined) return this.read(data)
    switch (text[0]) {
      case PONG:
        this.#beat = RESTING
        this.#beatAt = at + this.keeper.opening.pingInterval
        return
      case MESSAGE:
        return text.length > 1 ? this.read(text.slice(1)) : this.end()
      case BASE64:
        return this.read(Buffer.from(text.slice(1), 'base64'))
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
}
