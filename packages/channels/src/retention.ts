/** How much of a channel is kept. */
export interface Retention {
  /** Number of newest messages that are kept. */
  messages: number
  /** Milliseconds for which a message is kept. */
  ms: number
}
