import type { IncomingMessage } from 'node:http'
import { type Packet, PacketType } from 'socket.io-parser'
import { now } from '../clock.ts'
import type { Guest } from '../guests.ts'
import { UNUSED_MS } from '../socket/close-idle.ts'
import type { Tcp } from '../socket/engine.ts'
import { STRANGERS_PACKETS } from '../socket/packet-guard.ts'
import { type ConnectionKeeper, LightConnection } from './light-connection.ts'
import { createReader, type Frames, hasBytes, noNamespaceFrame, readPacket } from './packets.ts'

/** What all sockets of a door share. */
export interface LightKeeper extends ConnectionKeeper {
  /** The only namespace of the door, and its frames. */
  readonly namespace: string
  readonly frames: Frames
}

/** How long a connection has to join the namespace, as in Socket.IO. */
const JOIN_MS = 10_000

/** In the namespace or not. While it is asking, the namespace has not answered its CONNECT yet. */
const OUTSIDE = 0
const ASKING = 1
const INSIDE = 2

/** A light connection that uses one namespace, with the protocol of Socket.IO. */
export abstract class LightSocket<Keeper extends LightKeeper = LightKeeper>
  extends LightConnection<Keeper>
  implements Guest
{
  /** By `now()`: when a connection that is not in the namespace is closed. */
  dueAt = 0
  #place: typeof OUTSIDE | typeof ASKING | typeof INSIDE = OUTSIDE
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

  override begin(tcp: Tcp, id: string, keeper: Keeper, request: IncomingMessage): void {
    this.dueAt = now() + JOIN_MS
    super.begin(tcp, id, keeper, request)
  }

  /** Whether it is in the namespace. */
  get isInside(): boolean {
    return this.#place === INSIDE
  }

  override check(at: number): void {
    if (this.#place !== INSIDE && at >= this.dueAt) this.end()
    else super.check(at)
  }

  sendAway(resumeAfterMs: number): void {
    this.write(this.keeper.frames.event('drain', { resumeAfterMs }))
  }

  /**
   * Disconnects the client for good, and closes the connection. `end` sends no DISCONNECT packet
   * ("disconnected by the server"), after which a client does not come back by itself.
   */
  dismiss(): void {
    if (this.#place === INSIDE) this.write(this.keeper.frames.disconnected)
    this.end()
  }

  /** Admits the client to the namespace. `packets` is its limit in ten seconds from now on. */
  protected admit(packets = STRANGERS_PACKETS): void {
    this.#place = INSIDE
    this.mostPackets = packets
    this.write(this.keeper.frames.connected(this.id))
  }

  /** Refuses the namespace. The client may ask again. */
  protected refuse(message: string, data: object): void {
    this.#place = OUTSIDE
    this.write(this.keeper.frames.refused(message, data))
  }

  protected override ended(): void {
    this.#leave()
  }

  protected override read(part: string | Buffer): void {
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
    if (this.#place === ASKING) return this.cutOff('protocol')
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
    this.events++
    if (id !== undefined) args.push((answer: object) => this.write(this.keeper.frames.ack(id, answer)))
    this.handle(name, args)
  }
}
