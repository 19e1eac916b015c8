import type { SocketWx } from '../../src/wx/web-socket.ts'
import type { WxTask } from '../../src/wx/wx.ts'

/** A task of WeChat's whose every word is the test's. */
export interface ScriptedTask {
  url: string
  protocols: string[]
  /** What the mini-program sent. */
  sent: (string | ArrayBuffer)[]
  /** How it asked for the end, each time. */
  closes: { code?: number; reason?: string }[]
  open(header?: object): void
  message(data: string | ArrayBuffer): void
  error(errMsg: string): void
  close(code: number, reason: string): void
  /** From now on WeChat takes nothing more for it. */
  die(): void
}

export interface ScriptedWx {
  wx: SocketWx
  /** In the order in which they were asked for. */
  tasks: ScriptedTask[]
  hide(): void
  show(): void
  /** How many functions listen to the mini-program being hidden and shown. */
  readonly listeners: number
}

/** `wx` that does nothing by itself. `onTask` is told of each connection. */
export const createScriptedWx = (onTask: (task: ScriptedTask) => void = () => {}): ScriptedWx => {
  const hides = new Set<() => void>()
  const shows = new Set<() => void>()
  const tasks: ScriptedTask[] = []

  const connectSocket: SocketWx['connectSocket'] = ({ url, protocols = [] }) => {
    let dead = false
    let onOpen: Parameters<WxTask['onOpen']>[0] = () => {}
    let onMessage: Parameters<WxTask['onMessage']>[0] = () => {}
    let onError: Parameters<WxTask['onError']>[0] = () => {}
    let onClose: Parameters<WxTask['onClose']>[0] = () => {}
    const task: ScriptedTask = {
      url,
      protocols,
      sent: [],
      closes: [],
      open: (header = {}) => onOpen({ header }),
      message: (data) => onMessage({ data }),
      error: (errMsg) => onError({ errMsg }),
      close: (code, reason) => onClose({ code, reason }),
      die: () => {
        dead = true
      },
    }
    tasks.push(task)
    onTask(task)
    return {
      send: ({ data, fail }) => {
        if (dead) fail?.({ errMsg: 'sendSocketMessage:fail' })
        else task.sent.push(data)
      },
      close: ({ fail, ...how }) => {
        task.closes.push(how)
        if (dead) fail?.({ errMsg: 'closeSocket:fail' })
      },
      onOpen: (listener) => {
        onOpen = listener
      },
      onMessage: (listener) => {
        onMessage = listener
      },
      onError: (listener) => {
        onError = listener
      },
      onClose: (listener) => {
        onClose = listener
      },
    }
  }

  return {
    wx: {
      connectSocket,
      onAppHide: (listener) => void hides.add(listener),
      offAppHide: (listener) => void hides.delete(listener),
      onAppShow: (listener) => void shows.add(listener),
      offAppShow: (listener) => void shows.delete(listener),
    },
    tasks,
    hide: () => {
      for (const listener of [...hides]) listener()
    },
    show: () => {
      for (const listener of [...shows]) listener()
    },
    get listeners() {
      return hides.size + shows.size
    },
  }
}
