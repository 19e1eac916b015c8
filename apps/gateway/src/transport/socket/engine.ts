import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Server, Socket } from 'socket.io'
import type { WebSocket } from 'ws'

/*
 * Everything of Socket.IO, Engine.IO and ws that this server relies on and that their types keep to
 * themselves. Their versions are exact in package.json, and engine.test.ts names each of these: it fails when
 * a new version has changed one.
 */

/** The TCP connection below a WebSocket. */
export interface Tcp extends Duplex {
  write(bytes: Buffer): boolean
}

/** A WebSocket of ws, which keeps its connection. */
interface OpenWebSocket extends WebSocket {
  readonly _socket?: Tcp
}

/** A packet of Engine.IO. */
export interface EnginePacket {
  type: string
  data?: unknown
}

/** A connection of Engine.IO. */
interface EngineConnection {
  readonly id: string
  readonly readyState: string
  readonly transport: { readonly name: string; readonly writable: boolean; readonly socket?: OpenWebSocket }
  /** What waits for the transport, as packets. */
  readonly writeBuffer: readonly { data?: string | Buffer }[]
  request: unknown
  remoteAddress: string
  write(data: string, options?: object): unknown
  close(discard?: boolean): unknown
  on(event: 'packet', listener: (this: EngineConnection, packet: EnginePacket) => void): unknown
}

export type { EngineConnection }

/** A connection as it is, of one as Socket.IO's types have it. */
export const engineOf = (connection: object): EngineConnection => connection as EngineConnection

export const isOpen = (connection: EngineConnection): boolean => connection.readyState === 'open'

/** The WebSocket of a connection; none while it is HTTP long-polling. */
export const webSocketOf = ({ transport }: EngineConnection): OpenWebSocket | undefined =>
  transport.name === 'websocket' ? transport.socket : undefined

/** The TCP connection of one; none for HTTP long-polling, whose requests come and go. */
export const tcpOf = (connection: EngineConnection): Tcp | undefined => webSocketOf(connection)?._socket

/** Bytes that Engine.IO has queued, answers to the client's questions included. */
export const queuedBytes = ({ writeBuffer }: EngineConnection): number =>
  writeBuffer.reduce((sum, { data }) => sum + (data?.length ?? 0), 0)

/** Bytes that ws and the system have and the client has not taken. */
export const bufferedBytes = (connection: EngineConnection): number => webSocketOf(connection)?.bufferedAmount ?? 0

/** Writes frames that are whole already: one packet to Engine.IO, and one write to the system. */
export const writeFrames = (connection: EngineConnection, text: string, frames: Buffer): void =>
  void connection.write(text, { compress: false, wsPreEncodedFrame: [frames] })

/** Ends a connection at once: its client would not take a closing word. */
export const cutOff = (connection: EngineConnection): void => {
  const webSocket = webSocketOf(connection)
  connection.close(true)
  webSocket?.terminate()
}

/**
 * Forgets the request that a connection began with, which Engine.IO would keep for as long as the connection
 * lives: the largest part of a waiting browser's memory.
 *
 * @param address  the client's; behind a proxy Engine.IO's own is the proxy's
 */
export const forgetRequest = (connection: EngineConnection, addressOf: (req: IncomingMessage) => string): void => {
  if (connection.request) connection.remoteAddress = addressOf(connection.request as IncomingMessage)
  connection.request = null
}

/** Stands in for a handshake. */
const FORGOTTEN = Object.freeze({})

/**
 * Forgets a socket's handshake, which Socket.IO would keep, token and all, for as long as the socket lives.
 */
export const forgetHandshake = (socket: object): void => void Object.assign(socket, { handshake: FORGOTTEN })

/** How many namespaces the client of a socket is in. */
export const namespacesOf = (socket: Pick<Socket, 'client'>): number =>
  (Reflect.get(socket.client, 'sockets') as ReadonlyMap<string, unknown>).size

/** The part of Engine.IO's server that Socket.IO's types do not tell of. */
interface Engine {
  handleRequest(req: IncomingMessage, res: ServerResponse): void
  handleUpgrade(req: IncomingMessage, tcp: Duplex, head: Buffer): void
}

export const takeRequest = (io: Server, req: IncomingMessage, res: ServerResponse): void =>
  (io.engine as unknown as Engine).handleRequest(req, res)

export const takeUpgrade = (io: Server, req: IncomingMessage, tcp: Duplex, head: Buffer): void =>
  (io.engine as unknown as Engine).handleUpgrade(req, tcp, head)

/** Engine.IO's number for a client whose protocol it does not serve. */
const UNSUPPORTED_PROTOCOL = 5

/** What an old client is told: Engine.IO's own sentence names no version. */
export const tellOldClients = (io: Server, sentence: string): void =>
  void Object.assign(Reflect.get(io.engine.constructor, 'errorMessages'), { [UNSUPPORTED_PROTOCOL]: sentence })

/** The function with which a decoder of socket.io-parser reads JSON; none is several times as fast. */
export const reviveWith = (decoder: object, reviver: ((key: string, value: unknown) => unknown) | undefined): void =>
  void Reflect.set(Reflect.get(decoder, 'opts'), 'reviver', reviver)
