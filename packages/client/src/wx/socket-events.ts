type EventName = 'open' | 'message' | 'close' | 'error'

/** An event of a WebSocket. Each kind of event has only some of the fields. */
export interface SocketEvent {
  readonly type: EventName
  readonly target: unknown
  /** Of `message`. */
  readonly data?: string | ArrayBuffer
  /** Of `close`. */
  readonly code?: number
  readonly reason?: string
  readonly wasClean?: boolean
  /** Of `error`: WeChat's message. */
  readonly message?: string
}

type Handler = (event: SocketEvent) => void
type Listener = Handler | { handleEvent: Handler }

/** The event target part of a WebSocket. */
export abstract class SocketEvents {
  onopen: Handler | null = null
  onmessage: Handler | null = null
  onclose: Handler | null = null
  onerror: Handler | null = null
  readonly #listeners: { type: string; listener: Listener; once: boolean }[] = []

  addEventListener(type: string, listener: Listener | null, options?: boolean | { once?: boolean }): void {
    const isKnown = this.#listeners.some((each) => each.type === type && each.listener === listener)
    if (!listener || isKnown) return
    this.#listeners.push({ type, listener, once: typeof options === 'object' && options.once === true })
  }

  removeEventListener(type: string, listener: Listener | null): void {
    const index = this.#listeners.findIndex((each) => each.type === type && each.listener === listener)
    if (index >= 0) this.#listeners.splice(index, 1)
  }

  /** If a listener throws, the error is reported as uncaught and the other listeners are still called. */
  protected tell(type: EventName, fields: Omit<SocketEvent, 'type' | 'target'> = {}): void {
    const event: SocketEvent = { ...fields, type, target: this }
    const handler = this[`on${type}`]
    const called: Listener[] = typeof handler === 'function' ? [handler] : []
    for (const each of [...this.#listeners]) {
      if (each.type !== type) continue
      if (each.once) this.removeEventListener(type, each.listener)
      called.push(each.listener)
    }
    for (const listener of called) {
      try {
        if (typeof listener === 'function') listener.call(this, event)
        else listener.handleEvent(event)
      } catch (error) {
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }
}
