/** What an object that emits offers to others: subscribe, and get the function that ends the subscription. */
export interface Listenable<Events extends object> {
  on<K extends keyof Events>(event: K, listener: (value: Events[K]) => void): () => void
}

export interface Emitter<Events extends object> extends Listenable<Events> {
  emit<K extends keyof Events>(event: K, value: Events[K]): void
  /** Whether anybody listens. */
  isHeard(event: keyof Events): boolean
}

/** A listener that throws is reported as an uncaught error and does not keep the others from hearing. */
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
