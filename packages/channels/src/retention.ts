/** How much of a channel is remembered. */
export interface Retention {
  /** Newest messages kept. */
  messages: number
  /** Milliseconds a message is kept. */
  ms: number
}
