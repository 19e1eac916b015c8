import { WebSocket as WebSocketTransport } from 'engine.io-client'
import { createWxWebSocket, type SocketWx, type WxWebSocketOptions } from './web-socket.ts'

/**
 * A transport for Socket.IO's own client, which stays as it is: `io(url, { transports:
 * [createWxTransport(wx)] })`, or as `transports` of `createLive` and `createLogin`. It is the client's
 * WebSocket transport, on sockets of WeChat.
 */
export const createWxTransport = (wx: SocketWx, options?: WxWebSocketOptions): typeof WebSocketTransport => {
  const WxWebSocket = createWxWebSocket(wx, options)
  return class extends WebSocketTransport {
    override createSocket(url: string, protocols?: string | string[]) {
      return new WxWebSocket(url, protocols)
    }
  }
}
