/** A value that changes, in the form that React's `useSyncExternalStore` takes. */
export interface Store<T> {
  /** What is known before the page runs: a server renders it, and hydration begins with it. */
  readonly blank: T
  /** The present value. It is the same object until it changes. */
  read(): T
  /** Returns the function that unsubscribes. */
  subscribe(listener: () => void): () => void
}
