import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws'
import { handOver } from './raw-sockets.ts'

export interface WebSocketsOptions<W extends typeof WebSocket> {
  nodeId: string
  maxPayload: number | undefined
  /** Whether ws answers pings itself. @default true */
  autoPong?: boolean
  /** The class of the connections. @default the class of ws */
  WebSocket?: W
}

/** Creates the function with which doors other than Engine.IO's turn an admitted request into a WebSocket. */
export const createWebSockets = <W extends typeof WebSocket = typeof WebSocket>({
  nodeId,
  ...options
}: WebSocketsOptions<W>) => {
  const settings: ServerOptions<W> = { noServer: true, clientTracking: false, perMessageDeflate: false, ...options }
  const server = new WebSocketServer<W>(settings)
  server.on('headers', (headers) => headers.push(`X-Saoma-Node: ${nodeId}`))

  return (
    req: IncomingMessage,
    tcp: Duplex,
    head: Buffer<ArrayBuffer>,
    welcome: (ws: InstanceType<W>) => void,
  ): void => {
    // The answer and the first frame leave in one write.
    tcp.cork()
    server.handleUpgrade(req, tcp, head, (ws) => {
      handOver(tcp)
      welcome(ws)
    })
    tcp.uncork()
  }
}
