/** Background events, for metrics and the log. */
export type ChannelsEvent =
  /** Pub/sub had lost messages; they were read from the log. */
  | { kind: 'refilled'; channel: string; messages: number }
  /** The log no longer had the lost messages. Followers see a gap, and get the reason when they read. */
  | { kind: 'lost'; channel: string }
  /** All channels were compared with Redis after its connection came back. */
  | { kind: 'resynced'; channels: number }
  /** The presence of a dead node was removed. */
  | { kind: 'swept'; node: string; channels: number }
  /** A background task failed and will be retried. */
  | { kind: 'error'; error: unknown }
