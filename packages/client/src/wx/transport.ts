import { WebSocket as WebSocketTransport } from 'engine.io-client'
import { createWxWebSocket, type SocketWx, type WxWebSocketOptions } from './web-socket.ts'

/**
 * A transport for the unchanged Socket.IO client: `io(url, { transports: [createWxTransport(wx)] })`, or as
 * `transports` of `createLive` and `createLogin`. It is the client's own WebSocket transport on WeChat's
 * sockets.
 *
 * @example
 * ```ts
 * import '@saoma/client/wx/globals'
 * import { createLive, createSession } from '@saoma/client'
 * import { createWxFetch, createWxPage, createWxStorage, createWxTransport } from '@saoma/client/wx'
 *
 * const given = { origin: 'https://login.example.com', fetch: createWxFetch(wx) }
 * const session = createSession({ ...given, storage: createWxStorage(wx) })
 * const transports = [createWxTransport(wx)]
 * const live = createLive({ ...given, token: session, transports, page: createWxPage(wx) })
 * const room = live.channel('room:lobby')
 * room.on('state', (state) => {
 *   if (state !== 'live') return
 *   console.log('following', room.channel) // -> following room:lobby
 *   live.close()
 * })
 * ```
 */
export const createWxTransport = (wx: SocketWx, options?: WxWebSocketOptions): typeof WebSocketTransport => {
  const WxWebSocket = createWxWebSocket(wx, options)
  return class extends WebSocketTransport {
    override createSocket(url: string, protocols?: string | string[]) {
      return new WxWebSocket(url, protocols)
    }
  }
}
