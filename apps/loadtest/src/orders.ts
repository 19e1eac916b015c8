/** What is compared: the cluster as the gateway builds it, and Socket.IO with its classic Redis adapter as the documentation shows it. */
export type Kind = 'ours' | 'stock'

/** How fast a node pushes. */
export interface Pace {
  /** Pushes begun per second. */
  perSecond: number
  /** Pushes begun and not yet taken by Redis. */
  inFlight: number
}

/** From the benchmark to a node, one at a time; the node gives one answer to each. */
export type Order =
  /** Remember these tickets as the next ones to push. */
  | { do: 'load'; tickets: readonly string[] }
  /** Say how much CPU time this process has used. */
  | { do: 'usage' }
  /** Push what was loaded. Answered when Redis has taken the last one. */
  | ({ do: 'push' } & Pace)

export type Answer =
  | { did: 'start'; port: number }
  | { did: 'load' }
  | { did: 'push' }
  /** Microseconds of this process, user and system together. */
  | { did: 'usage'; microseconds: number }
  | { did: 'fail'; message: string }
