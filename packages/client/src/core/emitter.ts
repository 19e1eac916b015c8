/** Subscribing to events; `on` returns the function that unsubscribes. */
export interface Listenable<Events extends object> {
  on<K extends keyof Events>(event: K, listener: (value: Events[K]) => void): () => void
}

export interface Emitter<Events extends object> extends Listenable<Events> {
  emit<K extends keyof Events>(event: K, value: Events[K]): void
  /** Whether the event has a listener. */
  isHeard(event: keyof Events): boolean
}

/** If a listener throws, the error is reported as uncaught and the other listeners are still called. */
export const createEmitter = <Events extends object>(): Emitter<Events> => {
  const listeners = new Map<keyof Events, Set<(value: never) => void>>()
  return {
    on: (event, listener) => {
      const group = listeners.get(event) ?? new Set()
      listeners.set(event, group.add(listener))
      return () => void group.delete(listener)
    },
    isHeard: (event) => (listeners.get(event)?.size ?? 0) > 0,
    emit: (event, value) => {
      for (const listener of [...(listeners.get(event) ?? [])]) {
        try {
          listener(value as never)
        } catch (error) {
          queueMicrotask(() => {
            throw error
          })
        }
      }
    },
  }
}
