/** The argument of `fail` in WeChat's functions. */
export interface WxError {
  errMsg: string
}

/** The argument of `wx.request`, as far as it is used here. */
export interface WxRequestOptions {
  url: string
  method?: WxMethod
  header?: Record<string, string>
  data?: string | ArrayBuffer
  /** With `json`, WeChat would parse the answer. Any other value leaves it as text. */
  dataType?: string
  responseType?: 'text' | 'arraybuffer'
  /** Called with any status. */
  success?: (result: { data: unknown; statusCode: number; header?: object }) => void
  fail?: (error: WxError) => void
}

export interface WxRequestTask {
  abort(): void
  then?: unknown
}

/** Methods of `wx.request`; there is no PATCH. */
export type WxMethod = 'OPTIONS' | 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE' | 'TRACE' | 'CONNECT'

/** The argument of `wx.connectSocket`, as far as it is used here. */
export interface WxSocketOptions {
  url: string
  protocols?: string[]
  /** Milliseconds until it must be open. */
  timeout?: number
  fail?: (error: WxError) => void
}

/** A socket, one of at most five. Its listeners cannot be removed. */
export interface WxTask {
  send(options: { data: string | ArrayBuffer; fail?: (error: WxError) => void }): void
  close(options: { code?: number; reason?: string; fail?: (error: WxError) => void }): void
  onOpen(listener: (result: { header: object }) => void): void
  onMessage(listener: (result: { data: string | ArrayBuffer }) => void): void
  onError(listener: (error: WxError) => void): void
  /** May never be called after a stay in the background. */
  onClose(listener: (result: { code: number; reason: string }) => void): void
}

/**
 * The part of WeChat's `wx` that is used here. WeChat's own object fits, and so do Taro 4 and uni-app's
 * `uni`, which also return promises.
 */
export interface Wx {
  /** A returned promise is not needed, because `success` and `fail` are called in any case. */
  request(options: WxRequestOptions): WxRequestTask
  connectSocket(options: WxSocketOptions): WxTask | PromiseLike<WxTask>
  /** An empty string when the key is missing. */
  getStorageSync(key: string): unknown
  /** Throws when it is full. */
  setStorageSync(key: string, value: string): void
  removeStorageSync(key: string): void
  onAppShow(listener: () => void): void
  offAppShow(listener: () => void): void
  onAppHide(listener: () => void): void
  offAppHide(listener: () => void): void
  onNetworkStatusChange(listener: (result: { isConnected: boolean }) => void): void
  offNetworkStatusChange(listener?: object): void
  getNetworkType(options: { success?: (result: { networkType: string }) => void }): unknown
}
