import { Server as Engine, transports } from 'engine.io'
import { WebSocket } from 'ws'
import {
  cutIfEnded,
  type EngineConnection,
  type EnginePacket,
  packetsOf,
  packetText,
  type Tcp,
  tcpOfTransport,
  webSocketOfTransport,
} from './engine.ts'
import { latinFrame, MOST_UNSENT, textFrame } from './frame.ts'

const isDirect = ({ data, options }: EnginePacket): boolean =>
  options?.frames !== undefined || data === undefined || typeof data === 'string'

type Transport = typeof transports.websocket
type Packets = Parameters<InstanceType<Transport>['send']>[0]

/**
 * Engine.IO's WebSocket transport, with direct writes to the TCP connection. Packets of one turn of the event
 * loop leave in one write. ws would write each header and each payload as a piece of its own, and Engine.IO
 * would wait for each write, which together costs as much as the write itself.
 *
 * Compression is off, so ws holds nothing back, and the order of both ways is the order of the calls.
 */
export class DirectWebSocket extends transports.websocket {
  /** Whole frames, one character a byte. */
  #unsent = ''

  override send(packets: Packets): void {
    const tcp = tcpOfTransport(this)
    const taken = packetsOf(packets)
    if (!tcp || !taken.every(isDirect)) {
      this.flush()
      return super.send(packets)
    }
    for (const packet of taken) this.#take(packet, tcp)
    // Engine.IO counts its batches by this event.
    this.emit('drain')
  }

  /** Writes what was sent in this turn. */
  flush(): void {
    const unsent = this.#unsent
    if (unsent === '') return
    this.#unsent = ''
    const tcp = tcpOfTransport(this)
    if (tcp) this.#write(tcp, unsent)
  }

  override doClose(onClosed?: () => void): void {
    this.flush()
    super.doClose(onClosed)
    const webSocket = webSocketOfTransport(this)
    if (webSocket) cutIfEnded(webSocket)
  }

  #take(packet: EnginePacket, tcp: Tcp): void {
    const { frames } = packet.options ?? {}
    const text = frames ? '' : packetText(packet)
    const frame = frames ?? latinFrame(text) ?? textFrame(text)
    if (typeof frame !== 'string') {
      this.flush()
      return this.#write(tcp, frame)
    }
    if (this.#unsent === '') process.nextTick(flush, this)
    this.#unsent += frame
    if (this.#unsent.length > MOST_UNSENT) this.flush()
  }

  #write(tcp: Tcp, bytes: string | Buffer): void {
    // Nothing may follow a close frame.
    if (webSocketOfTransport(this)?.readyState !== WebSocket.OPEN) return
    if (tcp.write(bytes, 'latin1') || !this.writable) return
    // Engine.IO queues what comes until the client has read.
    this.writable = false
    tcp.once('drain', () => {
      this.writable = true
      this.emit('ready')
    })
  }
}

const flush = (transport: DirectWebSocket): void => transport.flush()

/** The transport of a connection. There is none for HTTP long-polling. */
export const directOf = ({ transport }: EngineConnection): DirectWebSocket | undefined =>
  transport instanceof DirectWebSocket ? transport : undefined

/** Engine.IO with that transport. */
export class DirectEngine extends Engine {
  protected override createTransport(...[name, req]: Parameters<Engine['createTransport']>) {
    // Engine.IO has made it one of its own requests before.
    const request = req as ConstructorParameters<Transport>[0]
    return name === 'websocket' ? new DirectWebSocket(request) : super.createTransport(name, req)
  }
}
