/** What is compared: the cluster as the gateway builds it, and Socket.IO with its classic Redis adapter as its documentation shows it. */
export type Kind = 'ours' | 'stock'

/** How fast a node pushes. */
export interface Pace {
  /** Most pushes begun in a second; a busy machine makes it fewer. */
  perSecond: number
  /** Most pushes begun and not yet taken by Redis. */
  inFlight: number
}

/** Orders to worker.ts. */
export type NodeOrder =
  /** Remember these tickets as the next ones to push. */
  | { do: 'load'; tickets: readonly string[] }
  /** Push what was loaded. Answered when Redis has taken the last one. */
  | { do: 'push'; pace: Pace }
  /** Say how much CPU time this process has used. */
  | { do: 'usage' }

export type NodeAnswer =
  | { did: 'start'; port: number }
  | { did: 'load' }
  | { did: 'push' }
  /** User and system time together. */
  | { did: 'usage'; microseconds: number }

/** The account that scans and confirms every ticket. */
export const OWNER = 'bench'
