import type { LogEntry, Signal } from '@saoma/channels'
import type { LiveServerEvents } from '@saoma/protocol'

/** What a client is told of its own connection. */
export type Notice = 'expiring' | 'ended' | 'drain'
export type NoticeBody<N extends Notice> = Parameters<LiveServerEvents[N]>[0]

/** The way to one client, which its door gives to a `LiveConnection`. */
export interface Endpoint {
  /** What the log calls it. */
  readonly id: string
  /** The connection underneath, by which limits count: to leave and come again makes no new one of it. */
  readonly connection: string
  /** The client's address, by which wrong tokens are counted. */
  readonly address: string
  /** Whether it may still be told something. */
  readonly isOpen: boolean
  /**
   * Writes consecutive messages of one channel. Returns bytes written, or `slow` when the reader has more
   * than the cap waiting: it was cut off.
   */
  messages(batch: readonly LogEntry[]): number | 'slow'
  /** Whether the reader has more than the cap waiting, of whatever kind: it was cut off. */
  isSlow(): boolean
  /** Signals may be lost: one is dropped when the reader is behind. */
  signal(signal: Signal): number | 'dropped'
  tell<N extends Notice>(notice: N, body: NoticeBody<N>): void
  /** Closes the connection for good: the client is not to come again by itself. */
  dismiss(): void
}
