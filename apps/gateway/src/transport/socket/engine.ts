import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Server, Socket } from 'socket.io'
import type { WebSocket } from 'ws'

/*
 * All internals of Socket.IO, Engine.IO and ws that this server relies on and that their types do not expose.
 * package.json pins their exact versions. engine.test.ts checks each internal, and fails if a new version
 * changes one.
 */

/** The TCP connection below a WebSocket. */
export interface Tcp extends Duplex {
  write(bytes: Buffer): boolean
  /** A text of one character a byte is written without a copy of its own. */
  write(bytes: string | Buffer, encoding: 'latin1'): boolean
}

/** A WebSocket of ws, with its TCP connection. */
interface OpenWebSocket extends WebSocket {
  readonly _socket?: Tcp
}

/** A packet of Engine.IO. */
export interface EnginePacket {
  type: string
  data?: unknown
  /** `frames`: complete frames to write in place of the packet. */
  options?: { readonly frames?: Buffer }
}

/** Casts packets of Engine.IO's types to their real shape. */
export const packetsOf = (packets: readonly object[]): readonly EnginePacket[] => packets as readonly EnginePacket[]

/** The first character of a packet as text, by its type. */
const PACKET_TYPES: Readonly<Record<string, string>> = {
  open: '0',
  close: '1',
  ping: '2',
  pong: '3',
  message: '4',
  upgrade: '5',
  noop: '6',
}

/** A packet without bytes as it is on the wire. */
export const packetText = ({ type, data }: EnginePacket): string => (PACKET_TYPES[type] ?? '') + (data ?? '')

/** The WebSocket of Engine.IO's WebSocket transport. */
export const webSocketOfTransport = (transport: object): OpenWebSocket | undefined =>
  (transport as { readonly socket?: OpenWebSocket }).socket

export const tcpOfTransport = (transport: object): Tcp | undefined => webSocketOfTransport(transport)?._socket

/** Engine.IO's way to a client. */
interface EngineTransport {
  readonly name: string
  readonly writable: boolean
  readonly socket?: OpenWebSocket
}

/** A connection of Engine.IO. */
interface EngineConnection {
  readonly id: string
  readonly readyState: string
  readonly transport: EngineTransport
  /** Packets that wait for the transport. */
  readonly writeBuffer: readonly { data?: string | Buffer }[]
  request: unknown
  remoteAddress: string
  write(data: string, options?: object): unknown
  close(discard?: boolean): unknown
  on(event: 'packet', listener: (this: EngineConnection, packet: EnginePacket) => void): unknown
}

export type { EngineConnection }

/** Casts a connection of Socket.IO's types to its real shape. */
export const engineOf = (connection: object): EngineConnection => connection as EngineConnection

export const isOpen = (connection: EngineConnection): boolean => connection.readyState === 'open'

/** The WebSocket of a connection. There is none for HTTP long-polling. */
export const webSocketOf = ({ transport }: EngineConnection): OpenWebSocket | undefined =>
  transport.name === 'websocket' ? transport.socket : undefined

/** The TCP connection of a connection. HTTP long-polling has none, because its requests come and go. */
export const tcpOf = (connection: EngineConnection): Tcp | undefined => webSocketOf(connection)?._socket

/** Bytes in Engine.IO's queue, including acks. */
export const queuedBytes = ({ writeBuffer }: EngineConnection): number =>
  writeBuffer.reduce((sum, { data }) => sum + (data?.length ?? 0), 0)

/** Bytes that ws and the socket have buffered. */
export const bufferedBytes = (connection: EngineConnection): number => webSocketOf(connection)?.bufferedAmount ?? 0

/**
 * Queues complete frames as one packet for Engine.IO. `DirectWebSocket` writes them in place of the text.
 */
export const writeFrames = (connection: EngineConnection, text: string, frames: Buffer): void =>
  void connection.write(text, { frames })

/**
 * Cuts a WebSocket that was closed, if its client had ended its side before. Such a client answers no close
 * frame, and ws waits without a limit until it has read what is buffered.
 */
export const cutIfEnded = (webSocket: OpenWebSocket): void => {
  if (webSocket._socket?.readableEnded) webSocket.terminate()
}

/** Cuts a connection at once: its client would not read a close frame. */
export const cutOff = (connection: EngineConnection): void => {
  const webSocket = webSocketOf(connection)
  connection.close(true)
  webSocket?.terminate()
}

/**
 * Drops the request that opened a connection. Engine.IO would keep it as long as the connection lives, and it
 * is the largest part of a waiting browser's memory.
 *
 * @param addressOf  reads the client's address; behind a proxy Engine.IO's own is the proxy's
 */
export const forgetRequest = (connection: EngineConnection, addressOf: (req: IncomingMessage) => string): void => {
  if (connection.request) connection.remoteAddress = addressOf(connection.request as IncomingMessage)
  connection.request = null
}

/** The placeholder of a dropped handshake. */
const FORGOTTEN = Object.freeze({})

/** Drops a socket's handshake. Socket.IO would keep it, including the token, as long as the socket lives. */
export const forgetHandshake = (socket: object): void => void Object.assign(socket, { handshake: FORGOTTEN })

/** How many namespaces the client of a socket is in. */
export const namespacesOf = (socket: Pick<Socket, 'client'>): number =>
  (Reflect.get(socket.client, 'sockets') as ReadonlyMap<string, unknown>).size

/** The part of Engine.IO's server that Socket.IO's types do not expose. */
interface Engine {
  handleRequest(req: IncomingMessage, res: ServerResponse): void
  handleUpgrade(req: IncomingMessage, tcp: Duplex, head: Buffer): void
}

export const takeRequest = (io: Server, req: IncomingMessage, res: ServerResponse): void =>
  (io.engine as unknown as Engine).handleRequest(req, res)

export const takeUpgrade = (io: Server, req: IncomingMessage, tcp: Duplex, head: Buffer): void =>
  (io.engine as unknown as Engine).handleUpgrade(req, tcp, head)

/** Engine.IO's error number for an unsupported protocol version. */
const UNSUPPORTED_PROTOCOL = 5

/** Sets the error message for old clients, because Engine.IO's own names no version. */
export const tellOldClients = (io: Server, sentence: string): void =>
  void Object.assign(Reflect.get(io.engine.constructor, 'errorMessages'), { [UNSUPPORTED_PROTOCOL]: sentence })

/** Sets the JSON reviver of a socket.io-parser decoder. Parsing without one is several times faster. */
export const reviveWith = (decoder: object, reviver: ((key: string, value: unknown) => unknown) | undefined): void =>
  void Reflect.set(Reflect.get(decoder, 'opts'), 'reviver', reviver)
