import WebSocket from 'ws'
import { type Callbacks, failWith, succeed } from './calls.ts'
import type { JavaScript } from './javascript.ts'
import type { WxHeaders } from './requests.ts'

export interface WxConnect extends Callbacks {
  url: string
  header?: object
  protocols?: string[]
  /** Milliseconds until the connection must be open. */
  timeout?: number
}

/** Its listeners cannot be removed. */
export interface WxSocketTask {
  send(options: Callbacks & { data: string | ArrayBuffer }): void
  close(options: Callbacks & { code?: number; reason?: string }): void
  onOpen(listener: (result: { header: object }) => void): void
  onMessage(listener: (result: { data: string | ArrayBuffer }) => void): void
  onError(listener: (error: { errMsg: string }) => void): void
  onClose(listener: (result: { code: number; reason: string }) => void): void
}

export interface Sockets {
  connectSocket(options: WxConnect): WxSocketTask
  /** Sockets that WeChat counts: those that are not closed, and those whose end was never reported. */
  readonly count: number
  /** Cuts all sockets. The mini-program is notified unless `told` is false. */
  cut(told: boolean): void
}

export const MAX_SOCKETS = 5
const CONNECT_TIMEOUT_MS = 60_000
const ABNORMAL = { code: 1006, reason: 'abnormal closure' }

/** `wx.connectSocket` over `ws`. */
export const createSockets = (javascript: JavaScript, own: WxHeaders, isOnline: () => boolean): Sockets => {
  const all = new Set<(told: boolean) => void>()

  const open = (options: WxConnect): WxSocketTask => {
    const listeners = {
      open: [] as ((result: { header: object }) => void)[],
      message: [] as ((result: { data: string | ArrayBuffer }) => void)[],
      error: [] as ((error: { errMsg: string }) => void)[],
      close: [] as ((result: { code: number; reason: string }) => void)[],
    }
    const tell = <T>(group: ((result: T) => void)[], result: T) =>
      javascript.run(() => {
        for (const listener of group) listener(result)
      })
    let socket: WebSocket | undefined
    let over = false
    const end = (result: { code: number; reason: string }, told = true) => {
      if (over) return
      over = true
      if (!told) return // WeChat still counts it, until the program closes it.
      all.delete(cut)
      tell(listeners.close, result)
    }
    const cut = (told: boolean) => {
      end(ABNORMAL, told)
      socket?.terminate()
    }

    const begin = () => {
      if (all.size >= MAX_SOCKETS) {
        over = true
        return failWith('connectSocket', options, 'exceed max task count')
      }
      all.add(cut)
      succeed('connectSocket', options, {})
      const opened = new WebSocket(options.url, options.protocols ?? [], {
        headers: { ...options.header, ...own },
        handshakeTimeout: options.timeout ?? CONNECT_TIMEOUT_MS,
        perMessageDeflate: false,
      })
      socket = opened
      opened.binaryType = 'arraybuffer'
      let headers: object = {}
      opened.on('upgrade', (answer) => {
        headers = answer.headers
      })
      opened.on('open', () => !over && tell(listeners.open, { header: headers }))
      opened.on('message', (data: Buffer | ArrayBuffer, isBinary: boolean) => {
        if (!over) tell(listeners.message, { data: isBinary ? (data as ArrayBuffer) : data.toString() })
      })
      opened.on('error', ({ message }) => !over && tell(listeners.error, { errMsg: message }))
      opened.on('close', (code, reason) => end({ code, reason: reason.toString() }))
      // The program adds its listeners when it gets the task, so report the failure later.
      if (!isOnline()) queueMicrotask(() => cut(true))
    }
    javascript.run(begin)

    return {
      send: (call) =>
        javascript.run(() => {
          if (over || socket?.readyState !== WebSocket.OPEN)
            return failWith('sendSocketMessage', call, 'SocketTask.readyState is not OPEN')
          socket.send(call.data)
          succeed('sendSocketMessage', call, {})
        }),
      close: (call) =>
        javascript.run(() => {
          // A socket that is still connecting cannot be closed, either.
          const isOpen = !over && socket?.readyState === WebSocket.OPEN
          if (over) all.delete(cut)
          if (!isOpen) return failWith('closeSocket', call, 'SocketTask.readyState is not OPEN')
          socket?.close(call.code ?? 1000, call.reason ?? '')
          succeed('closeSocket', call, {})
        }),
      onOpen: (listener) => void listeners.open.push(listener),
      onMessage: (listener) => void listeners.message.push(listener),
      onError: (listener) => void listeners.error.push(listener),
      onClose: (listener) => void listeners.close.push(listener),
    }
  }

  return {
    connectSocket: open,
    get count() {
      return all.size
    },
    cut: (told) => {
      for (const each of [...all]) each(told)
    },
  }
}
