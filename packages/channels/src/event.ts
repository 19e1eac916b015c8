/** What happens behind the calls, for metrics and the log. */
export type ChannelsEvent =
  /** Pub/sub had lost messages and the log made them good. */
  | { kind: 'refilled'; channel: string; messages: number }
  /** The log no longer had what was lost: followers see a gap and are told when they ask. */
  | { kind: 'lost'; channel: string }
  /** All channels were compared with Redis after its connection came back. */
  | { kind: 'resynced'; channels: number }
  /** The presence of a dead node was taken away. */
  | { kind: 'swept'; node: string; channels: number }
  /** Something in the background failed and will be tried again. */
  | { kind: 'error'; error: unknown }
