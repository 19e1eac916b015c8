import type { Duplex } from 'node:stream'
import { LOGIN_NAMESPACE, type TicketState } from '@saoma/protocol'
import type { Listener } from '@saoma/tickets'
import { type Packet, PacketType } from 'socket.io-parser'
import { WebSocket } from 'ws'
import { EVENTS } from '../../transport/limits.ts'
import { STRANGERS_PACKETS, WINDOW_MS } from '../../transport/socket/packet-guard.ts'
import { now } from './clock.ts'
import {
  ackFrame,
  BASE64,
  CLOSE,
  connectFrame,
  createReader,
  disconnectFrame,
  drainFrame,
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
  ticketFrame,
  UPGRADE,
} from './packets.ts'
import type { TicketWatcher } from './ticket-watcher.ts'

/** The services of the door that all of its browsers share. */
export interface Keeper {
  /** Engine.IO's opening packet. The id is added in front. */
  readonly opening: { pingInterval: number; pingTimeout: number; maxPayload: number }
  readonly nodeId: string
  /** Bytes that may be buffered for a client that keeps sending requests. */
  readonly maxBufferBytes: number
  /** Handles the event `watch` of the browser `this`. */
  watch(this: TicketWatcher, ...args: unknown[]): Promise<void>
  follow(ticket: string, listener: Listener): Promise<void>
  unfollow(ticket: string, listener: Listener): void
  heard(watcher: TicketWatcher, state: TicketState): void
  joined(browser: LightLoginSocket): void
  left(browser: LightLoginSocket): void
  /** Called when a browser exceeds its limit of events. */
  limited(): void
  cut(reason: string): void
  closed(browser: LightLoginSocket, reason: string): void
}

/** How long a connection has to join the namespace, as in Socket.IO. */
const JOIN_MS = 10_000
/** How long it may stay open after it has left the namespace. */
const UNUSED_MS = 30_000

/** States of the heartbeat. `#beatAt` is when the next ping is due, or the deadline of its pong. */
const RESTING = 0
const ASKED = 1
/** Another packet came instead of the pong. It extends the deadline once. */
const EXTENDED = 2

/** The table of listeners of an emitter that has none. */
const NOBODY: object = Object.freeze(Object.create(null))

/**
 * A WebSocket that only waits for a login, with the protocol of Engine.IO and Socket.IO. There are tens of
 * thousands of them, so each is one object: the WebSocket itself with a few fields.
 */
export class LightLoginSocket extends WebSocket implements TicketWatcher, Listener {
  id = ''
  deviceCode: string | undefined = undefined
  watching = false
  version = 0
  dueAt = 0
  /** Whether it is in the namespace. */
  isOpen = false
  #isGone = false
  #keeper!: Keeper
  #tcp!: Duplex
  #beat: typeof RESTING | typeof ASKED | typeof EXTENDED = RESTING
  #beatAt = 0
  /** Packets, and events among them, since the time `#since`. */
  #since = 0
  #packets = 0
  #events = 0
  /** The parser of a packet whose binary parts have not all arrived. */
  #reader: ((part: string | Buffer) => Packet | undefined) | undefined = undefined

  /** Called once, after the handshake. `id` is the part of the Engine.IO id behind the node's. */
  begin(tcp: Duplex, id: string, keeper: Keeper): void {
    this.#tcp = tcp
    this.#keeper = keeper
    // Nobody listens, because `emit` is ours. Node makes a table for each emitter all the same, of 184 bytes.
    Object.assign(this, { _events: NOBODY })
    this.id = id
    const { opening, nodeId } = keeper
    this.dueAt = now() + JOIN_MS
    this.#beatAt = now() + opening.pingInterval
    this.#write(openFrame({ sid: `${nodeId}-${id}`, upgrades: [], ...opening }))
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
        this.#gone('transport error')
        return true
      case 'close':
        this.#gone('transport close')
        return true
      default:
        return super.emit(event, ...args)
    }
  }

  /** Checks the connection's own deadlines. */
  check(at: number): void {
    if (!this.isOpen && at >= this.dueAt) return this.end('forced close')
    if (at < this.#beatAt) return
    if (this.#beat !== RESTING) return this.end('ping timeout')
    this.#beat = ASKED
    this.#beatAt = at + this.#keeper.opening.pingTimeout
    this.#write(pingFrame)
  }

  get tcp(): Duplex {
    return this.#tcp
  }

  follow(ticket: string): Promise<void> {
    return this.#keeper.follow(ticket, this)
  }

  unfollow(ticket: string): void {
    this.#keeper.unfollow(ticket, this)
  }

  tell(state: TicketState): void {
    this.#write(ticketFrame(state))
  }

  hear(state: TicketState): void {
    // The browser already knows this version from a read: the event is a duplicate or late.
    if (state.version <= this.version) return
    this.tell(state)
    this.#keeper.heard(this, state)
  }

  /** Nothing to do: after a lost subscription every watched ticket is read again. */
  miss(): void {}

  sendAway(resumeAfterMs: number): void {
    this.#write(drainFrame(resumeAfterMs))
  }

  dismiss(): void {
    this.#write(disconnectFrame)
    this.end('forced close')
  }

  /**
   * Closes the connection without a DISCONNECT packet ("disconnected by the server"), after which a client
   * would not reconnect.
   */
  end(reason = 'forced close'): void {
    if (this.#isGone) return
    this.close()
    this.#gone(reason)
  }

  /** The connection has ended. Only the first reason counts. */
  #gone(reason: string): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#leave()
    this.#keeper.closed(this, reason)
  }

  /** Cuts the connection at once: such a client would not read a close frame. */
  #cutOff(reason: string): void {
    this.#keeper.cut(reason)
    this.close()
    this.terminate()
    this.#gone('forced close')
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
    if (++this.#packets > STRANGERS_PACKETS) return this.#cutOff('flood')
    if (this.bufferedAmount > this.#keeper.maxBufferBytes) return this.#cutOff('slow')
    if (kind === 'ping') return this.pong(data)
    const text = kind === 'text' ? data.toString() : undefined
    if (this.#beat === ASKED && text !== PONG) {
      this.#beat = EXTENDED
      this.#beatAt = at + this.#keeper.opening.pingTimeout
    }
    if (text === undefined) return this.#read(data)
    switch (text[0]) {
      case PONG:
        this.#beat = RESTING
        this.#beatAt = at + this.#keeper.opening.pingInterval
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
    if (type === PacketType.CONNECT) return this.#join(nsp)
    if (!this.isOpen || nsp !== LOGIN_NAMESPACE) return this.end()
    switch (type) {
      case PacketType.EVENT:
        return this.#hearEvent(id, data)
      case PacketType.DISCONNECT:
        this.#leave()
        this.dueAt = now() + UNUSED_MS
        return
      case PacketType.ACK:
        // The server never requests an ack.
        return
      default:
        return this.end()
    }
  }

  #join(namespace: string): void {
    if (namespace !== LOGIN_NAMESPACE) return this.#write(noNamespaceFrame(namespace))
    // If it left and rejoined during a `watch`, the old answer would arrive in the new session.
    if (this.isOpen || this.watching) return this.end()
    this.isOpen = true
    this.#keeper.joined(this)
    this.#write(connectFrame(this.id))
  }

  #leave(): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.#keeper.left(this)
  }

  #hearEvent(id: number | undefined, [name, ...args]: unknown[] = []): void {
    if (++this.#events > EVENTS.points) {
      this.#keeper.limited()
      return this.dismiss()
    }
    if (name !== 'watch') return
    if (id !== undefined) args.push((answer: object) => this.#write(ackFrame(id, answer)))
    void this.#keeper.watch.apply(this, args)
  }

  /**
   * Writes past ws, which would frame the bytes again for each connection. ws buffers nothing, because
   * compression is off.
   */
  #write(frame: Buffer): void {
    if (this.readyState === WebSocket.OPEN) this.#tcp.write(frame)
  }
}
