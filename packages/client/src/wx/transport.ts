import { WebSocket as WebSocketTransport } from 'engine.io-client'
import { createWxWebSocket, type SocketWx, type WxWebSocketOptions } from './web-socket.ts'

/**
 * A transport for the unchanged Socket.IO client: `io(url, { transports: [createWxTransport(wx)] })`, or as
 * `transports` of `createLive` and `createLogin`. It is the client's own WebSocket transport on WeChat's
 * sockets.
 */
export const createWxTransport = (wx: SocketWx, options?: WxWebSocketOptions): typeof WebSocketTransport => {
  const WxWebSocket = createWxWebSocket(wx, options)
  return class extends WebSocketTransport {
    override createSocket(url: string, protocols?: string | string[]) {
      return new WxWebSocket(url, protocols)
    }
  }
}
