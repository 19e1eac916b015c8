/** What `fail` of WeChat's functions is told. */
export interface WxError {
  errMsg: string
}

export interface WxRequestOptions {
  url: string
  method?: WxMethod
  header?: Record<string, string>
  data?: string | ArrayBuffer
  /** `json` would be parsed before we see it; any other is left as text. */
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

/** What `wx.request` sends; there is no PATCH. */
export type WxMethod = 'OPTIONS' | 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE' | 'TRACE' | 'CONNECT'

export interface WxSocketOptions {
  url: string
  protocols?: string[]
  /** Milliseconds until it must be open. */
  timeout?: number
  fail?: (error: WxError) => void
}

/** One of at most five. Its listeners cannot be removed. */
export interface WxTask {
  send(options: { data: string | ArrayBuffer; fail?: (error: WxError) => void }): void
  close(options: { code?: number; reason?: string; fail?: (error: WxError) => void }): void
  onOpen(listener: (result: { header: object }) => void): void
  onMessage(listener: (result: { data: string | ArrayBuffer }) => void): void
  onError(listener: (error: WxError) => void): void
  /** After a stay in the background it may never be called. */
  onClose(listener: (result: { code: number; reason: string }) => void): void
}

/**
 * The part of WeChat's `wx` that is used here. The real one fits, and so do Taro 4 and `uni` of uni-app,
 * which give promises besides or instead.
 */
export interface Wx {
  /** A promise that it gives is not needed, as `success` and `fail` are called all the same. */
  request(options: WxRequestOptions): WxRequestTask
  connectSocket(options: WxSocketOptions): WxTask | PromiseLike<WxTask>
  /** An empty string when there is nothing. */
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
