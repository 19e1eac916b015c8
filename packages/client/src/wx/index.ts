export { createWxFetch } from './fetch.ts'
export { createWxPage } from './page.ts'
export { createWxStorage } from './storage.ts'
export { createWxTransport } from './transport.ts'
export {
  createWxWebSocket,
  type WxWebSocket,
  type WxWebSocketConstructor,
  type WxWebSocketOptions,
} from './web-socket.ts'
export type { Wx, WxError, WxMethod, WxRequestOptions, WxSocketOptions, WxTask } from './wx.ts'
