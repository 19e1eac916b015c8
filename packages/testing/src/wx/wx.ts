import { onCleanup } from '../cleanup.ts'
import { type Callbacks, failWith, succeed } from './calls.ts'
import { createJavaScript } from './javascript.ts'
import { createRequests, type WxRequest, type WxRequestTask } from './requests.ts'
import { createSockets, type WxConnect, type WxSocketTask } from './sockets.ts'

/**
 * How the mini-program was opened: `scene` is WeChat's number for the way, `query.scene` the content of the
 * code.
 */
export interface WxEnterOptions {
  path: string
  query: Record<string, string>
  scene: number
}

type NetworkType = 'wifi' | 'none'
type Listener<T> = (result: T) => void

/** The part of WeChat's `wx` that Saoma uses, with WeChat's limits. */
export interface TestWx {
  request(options: WxRequest): WxRequestTask
  connectSocket(options: WxConnect): WxSocketTask
  /** An empty string when the key is missing. */
  getStorageSync(key: string): unknown
  setStorageSync(key: string, value: unknown): void
  removeStorageSync(key: string): void
  onAppShow(listener: Listener<WxEnterOptions>): void
  offAppShow(listener?: Listener<WxEnterOptions>): void
  onAppHide(listener: Listener<object>): void
  offAppHide(listener?: Listener<object>): void
  onNetworkStatusChange(listener: Listener<{ isConnected: boolean; networkType: NetworkType }>): void
  offNetworkStatusChange(listener?: Listener<{ isConnected: boolean; networkType: NetworkType }>): void
  getNetworkType(options: Callbacks<{ networkType: NetworkType }>): void
  getLaunchOptionsSync(): WxEnterOptions
  getEnterOptionsSync(): WxEnterOptions
  getAppBaseInfo(): { language: string }
  login(options: Callbacks<{ code: string }>): void
}

export interface TestWxOptions {
  /** Returns single-use codes of `wx.login`. @default none, and `wx.login` fails */
  login?: () => Promise<string>
  /** How it was opened. @default the home page, from the list of recent ones */
  enter?: WxEnterOptions
  /** The phone's storage. Pass it to another phone to reopen a mini-program that was killed. */
  storage?: Map<string, unknown>
  /** @default 'zh_CN' */
  language?: string
  /**
   * The `Origin` that WeChat sends on this system; empty if it sends none.
   * @default 'https://servicewechat.com'
   */
  origin?: string
}

/** A phone with one mini-program, and what a person and the network do to it. */
export interface WxPhone {
  readonly wx: TestWx
  /** Milliseconds since 1970 by the phone's clock. It runs ahead by the time spent in the background. */
  now(): number
  /**
   * Goes to the background for this time; `foreground` returns after it, without waiting. More than 5 s
   * suspend JavaScript: requests end with `fail interrupted`, sockets are cut without `onClose`, and new
   * requests wait for the return.
   * @default 30000
   */
  background(awayMs?: number): void
  /** Returns to the foreground; `enter` is set if a scan, a link or a card opened it. */
  foreground(enter?: WxEnterOptions): void
  /** The network is lost: requests fail, sockets end. */
  offline(): void
  online(): void
  /** Cuts every socket without a change of the network; `told: false` suppresses their `onClose`. */
  cutSockets(options?: { told?: boolean }): void
  /** Sockets that WeChat counts, out of at most five. */
  readonly sockets: number
  /** Requests so far. */
  readonly requests: readonly WxRequest[]
  /** WeChat ends the mini-program. Its storage stays. */
  kill(): void
}

/** How long JavaScript and sockets keep running in the background. */
const SUSPENDED_AFTER_MS = 5_000
const AWAY_MS = 30_000
const RECENT: WxEnterOptions = { path: 'pages/index/index', query: {}, scene: 1001 }
const REFERER = 'https://servicewechat.com/wx0000000000000001/1/page-frame.html'
const ORIGIN = 'https://servicewechat.com'
/** Size limit of one key; WeChat's is 1 MB. */
const MAX_ENTRY = 1_000_000

/** Everything still running ends with the test file. */
export const createWx = (options: TestWxOptions = {}): WxPhone => {
  const { login, storage = new Map<string, unknown>(), language = 'zh_CN', origin = ORIGIN } = options
  const launch = options.enter ?? RECENT
  const shows = new Set<Listener<WxEnterOptions>>()
  const hides = new Set<Listener<object>>()
  const networks = new Set<Listener<{ isConnected: boolean; networkType: NetworkType }>>()
  const requests: WxRequest[] = []
  let enter = launch
  let ahead = 0
  let away: number | undefined
  let isOnline = true

  const javascript = createJavaScript()
  const own = { referer: REFERER, ...(origin === '' ? {} : { origin }) }
  const http = createRequests(javascript, own, () => isOnline)
  const sockets = createSockets(javascript, own, () => isOnline)
  const networkType = (): NetworkType => (isOnline ? 'wifi' : 'none')

  const tell = <T>(listeners: Set<Listener<T>>, result: T) => {
    for (const listener of [...listeners]) listener(result)
  }
  const remove = <T>(listeners: Set<Listener<T>>, listener?: Listener<T>) => {
    if (listener) listeners.delete(listener)
    else listeners.clear()
  }
  const setOnline = (next: boolean) => {
    isOnline = next
    if (!next) {
      http.fail('network is down')
      sockets.cut(true)
    }
    javascript.run(() => tell(networks, { isConnected: isOnline, networkType: networkType() }))
  }
  const kill = () => {
    javascript.suspend()
    for (const listeners of [shows, hides, networks]) listeners.clear()
    http.fail('interrupted')
    sockets.cut(false)
  }
  onCleanup(() => {
    http.fail('interrupted')
    sockets.cut(true)
  })

  return {
    wx: {
      request: (asked) => {
        requests.push(asked)
        return http.request(asked)
      },
      connectSocket: sockets.connectSocket,
      getStorageSync: (key) => storage.get(key) ?? '',
      setStorageSync: (key, value) => {
        if (JSON.stringify(value).length > MAX_ENTRY) throw new Error('setStorageSync:fail entry size limit reached')
        storage.set(key, value)
      },
      removeStorageSync: (key) => void storage.delete(key),
      onAppShow: (listener) => void shows.add(listener),
      offAppShow: (listener) => remove(shows, listener),
      onAppHide: (listener) => void hides.add(listener),
      offAppHide: (listener) => remove(hides, listener),
      onNetworkStatusChange: (listener) => void networks.add(listener),
      offNetworkStatusChange: (listener) => remove(networks, listener),
      getNetworkType: (call) => javascript.run(() => succeed('getNetworkType', call, { networkType: networkType() })),
      getLaunchOptionsSync: () => launch,
      getEnterOptionsSync: () => enter,
      getAppBaseInfo: () => ({ language }),
      login: (call) => {
        const code = isOnline && login ? login() : Promise.reject(new Error('network is down'))
        code.then(
          (given) => javascript.run(() => succeed('login', call, { code: given })),
          (error: unknown) => javascript.run(() => failWith('login', call, String(error))),
        )
      },
    },
    now: () => Date.now() + ahead,
    background: (awayMs = AWAY_MS) => {
      if (away !== undefined) return
      away = awayMs
      tell(hides, {})
      if (awayMs <= SUSPENDED_AFTER_MS) return
      javascript.suspend()
      http.fail('interrupted')
      sockets.cut(false)
    },
    foreground: (next = enter) => {
      enter = next
      ahead += away ?? 0
      away = undefined
      javascript.resume()
      tell(shows, next)
    },
    offline: () => setOnline(false),
    online: () => setOnline(true),
    cutSockets: ({ told = true } = {}) => sockets.cut(told),
    get sockets() {
      return sockets.count
    },
    requests,
    kill,
  }
}
