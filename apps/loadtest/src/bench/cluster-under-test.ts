/** Nodes with a Redis of their own, and a backend that publishes through the first node. */
export interface System {
  /** Addresses of the nodes. */
  readonly urls: readonly string[]
  /** Process ids of the nodes, in the same order. */
  readonly nodes: readonly number[]
  /** Process ids of its Redis: one, or those of the masters. */
  readonly redis: readonly number[]
  /** Resolves when the node has accepted the message. Calls are processed in order. */
  publish(channel: string, data: object): Promise<void>
  stop(): Promise<void>
}
