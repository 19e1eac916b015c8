import { checkClose, type SocketData, socketFrame, socketProtocols, socketUrl } from './socket-arguments.ts'
import { SocketEvents } from './socket-events.ts'
import type { Wx, WxTask } from './wx.ts'

/** A browser's WebSocket, as far as WeChat has one: no Blobs, and no `bufferedAmount`. */
export interface WxWebSocket extends SocketEvents {
  readonly url: string
  /** The subprotocol that the server chose. */
  readonly protocol: string
  readonly extensions: string
  /** Always 0. */
  readonly bufferedAmount: number
  /** 0 connecting, 1 open, 2 closing, 3 closed. */
  readonly readyState: number
  /** Always `arraybuffer`. Other values are ignored, as the standard ignores unknown values. */
  binaryType: string
  /**
   * Throws `InvalidStateError` before it is open. Later it drops data that cannot be sent, like a browser.
   */
  send(data: SocketData): void
  /** Throws for codes and reasons that a page may not use. */
  close(code?: number, reason?: string): void
}

/**
 * The class that `createWxWebSocket` makes. Its constructor throws for an address or a subprotocol that a
 * browser refuses.
 */
export interface WxWebSocketConstructor {
  new (url: string, protocols?: string | readonly string[]): WxWebSocket
  readonly CONNECTING: 0
  readonly OPEN: 1
  readonly CLOSING: 2
  readonly CLOSED: 3
}

/** The functions of `wx` that a WebSocket needs. */
export type SocketWx = Pick<Wx, 'connectSocket' | 'onAppShow' | 'offAppShow' | 'onAppHide' | 'offAppHide'>

/** What the sockets need besides `wx`. */
export interface WxWebSocketOptions {
  /** A clock in milliseconds that goes on while JavaScript is suspended. @default Date.now */
  now?: () => number
}

/** How long WeChat keeps a mini-program and its sockets running in the background. */
const SUSPENDED_AFTER_MS = 5_000
/**
 * A connecting socket cannot be closed, and it counts against the limit of five. So WeChat itself must time
 * it out.
 */
const CONNECT_WITHIN_MS = 10_000
/** How long a close may take. WeChat sometimes never reports it. */
const CLOSE_WITHIN_MS = 3_000
/** RFC 6455 section 7.1.5: the connection was lost without a close frame. */
const ABNORMAL = 1_006

/**
 * A class of WebSockets over `wx.connectSocket`, for libraries that take one. Each socket certainly ends:
 * when WeChat does not report the end, when the phone returns too late from the background, or when a sixth
 * socket is opened. It is then closed on WeChat's side, too, so that it does not count against the limit of
 * five.
 *
 * @example
 * ```ts
 * import { createWxWebSocket } from '@saoma/client/wx'
 *
 * const WxWebSocket = createWxWebSocket(wx)
 * const socket = new WxWebSocket('https://login.example.com/ws')
 * socket.onopen = () => socket.send('ping')
 * socket.onmessage = ({ data }) => {
 *   console.log(data) // -> pong
 *   socket.close(1_000)
 * }
 * socket.onclose = ({ wasClean }) => console.log(wasClean) // -> true
 * ```
 */
export const createWxWebSocket = (wx: SocketWx, { now = Date.now }: WxWebSocketOptions = {}): WxWebSocketConstructor =>
  class extends SocketEvents implements WxWebSocket {
    static readonly CONNECTING = 0
    static readonly OPEN = 1
    static readonly CLOSING = 2
    static readonly CLOSED = 3
    readonly CONNECTING = 0
    readonly OPEN = 1
    readonly CLOSING = 2
    readonly CLOSED = 3
    readonly extensions = ''
    readonly bufferedAmount = 0
    readonly url: string
    protocol = ''
    readyState: 0 | 1 | 2 | 3 = this.CONNECTING
    #task: WxTask | undefined
    #timer: ReturnType<typeof setTimeout> | undefined
    /** When JavaScript was last known to be in the foreground. */
    #seenAt = now()

    constructor(url: string, protocols: string | readonly string[] = []) {
      super()
      this.url = socketUrl(url)
      const names = socketProtocols(protocols)
      wx.onAppHide(this.#onHide)
      wx.onAppShow(this.#onShow)
      try {
        // Listeners are added after the constructor returns, so report a refusal later.
        const fail = ({ errMsg }: { errMsg: string }) => void Promise.resolve().then(() => this.#fail(errMsg))
        const given = wx.connectSocket({
          url: this.url,
          ...(names.length > 0 ? { protocols: names } : {}),
          timeout: CONNECT_WITHIN_MS,
          fail,
        })
        if ('then' in given) given.then((task) => this.#take(task), fail)
        else this.#take(given)
      } catch (error) {
        void Promise.resolve().then(() => this.#fail(String(error)))
      }
    }

    get binaryType(): string {
      return 'arraybuffer'
    }

    set binaryType(_type: string) {}

    send(data: SocketData): void {
      if (this.readyState === this.CONNECTING)
        throw new DOMException('This WebSocket is not open yet.', 'InvalidStateError')
      if (this.readyState !== this.OPEN) return
      this.#task?.send({ data: socketFrame(data), fail: ({ errMsg }) => this.#fail(errMsg) })
    }

    close(code?: number, reason?: string): void {
      checkClose(code, reason)
      if (this.readyState === this.CLOSING || this.readyState === this.CLOSED) return
      const wasOpen = this.readyState === this.OPEN
      this.readyState = this.CLOSING
      if (wasOpen) {
        this.#timer = setTimeout(() => this.#lose(), CLOSE_WITHIN_MS)
        this.#task?.close({
          ...(code === undefined ? {} : { code }),
          ...(reason === undefined ? {} : { reason }),
          fail: () => this.#lose(),
        })
      } else {
        void Promise.resolve().then(() => this.#fail('closed before it was open'))
      }
    }

    #take(task: WxTask): void {
      this.#task = task
      task.onOpen(({ header }) => {
        // It was given up while connecting. WeChat can only close it now.
        if (this.readyState !== this.CONNECTING) return this.#discard()
        this.readyState = this.OPEN
        this.protocol = fieldOf(header, 'sec-websocket-protocol')
        this.tell('open')
      })
      task.onMessage(({ data }) => {
        if (this.readyState === this.OPEN) this.tell('message', { data })
      })
      task.onError(({ errMsg }) => this.#fail(errMsg))
      task.onClose(({ code, reason }) => {
        if (this.readyState === this.CONNECTING) this.#fail(reason)
        else this.#end(code, reason)
      })
    }

    readonly #onHide = () => {
      this.#seenAt = now()
    }

    readonly #onShow = () => {
      const away = now() - this.#seenAt
      this.#seenAt = now()
      if (away >= SUSPENDED_AFTER_MS) this.#lose()
    }

    /** The connection is certainly dead, whatever WeChat reports. */
    #lose(): void {
      if (this.readyState === this.CONNECTING) return this.#fail('suspended')
      this.#discard()
      this.#end(ABNORMAL, '')
    }

    #fail(message: string): void {
      if (this.readyState === this.CLOSED) return
      this.#discard()
      this.#settle()
      this.tell('error', { message })
      this.tell('close', { code: ABNORMAL, reason: '', wasClean: false })
    }

    #end(code: number, reason: string): void {
      if (this.readyState === this.CLOSED) return
      this.#settle()
      this.tell('close', { code, reason, wasClean: code !== ABNORMAL })
    }

    #settle(): void {
      this.readyState = this.CLOSED
      clearTimeout(this.#timer)
      wx.offAppHide(this.#onHide)
      wx.offAppShow(this.#onShow)
    }

    #discard(): void {
      try {
        this.#task?.close({ fail: () => {} })
      } catch {
        // It is closed already.
      }
    }
  }

/** Reads a header field; names are case-insensitive. */
const fieldOf = (header: object | undefined, name: string): string => {
  const field = Object.entries(header ?? {}).find(([key]) => key.toLowerCase() === name)
  return field === undefined ? '' : String(field[1])
}
