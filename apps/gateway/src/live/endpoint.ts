import type { LogEntry, Signal } from '@saoma/channels'
import type { LiveServerEvents } from '@saoma/protocol'

/** The notices that a client receives about its own connection. */
export type Notice = 'expiring' | 'ended' | 'drain'
export type NoticeBody<N extends Notice> = Parameters<LiveServerEvents[N]>[0]

/** The transport to one client. Its door gives it to a `LiveConnection`. */
export interface Endpoint {
  /** Its name in the log. */
  readonly id: string
  /**
   * Id of the underlying connection, the scope of rate limits. Leaving a
   * namespace and joining again does not change it.
   */
  readonly connection: string
  /** The client's address, the scope in which wrong tokens are counted. */
  readonly address: string
  /** Path of its door, which the proof of a token's key names. */
  readonly door: string
  /** Whether the client can still receive something. */
  readonly isOpen: boolean
  /**
   * Writes consecutive messages of one channel. Returns the number of bytes written, or `slow` if the buffer
   * exceeds the limit. A slow reader has been cut off.
   */
  messages(batch: readonly LogEntry[]): number | 'slow'
  /** Whether the reader's buffer exceeds the limit, whatever it holds. If so, the reader has been cut off. */
  isSlow(): boolean
  /** Writes a signal. Signals may be lost: one is dropped if the reader is behind. */
  signal(signal: Signal): number | 'dropped'
  tell<N extends Notice>(notice: N, body: NoticeBody<N>): void
  /** Closes the connection for good: the client should not reconnect by itself. */
  dismiss(): void
}
