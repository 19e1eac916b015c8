import type { Pace } from './pace.ts'

/**
 * The two clusters of the comparison: the gateway's, and Socket.IO with its classic Redis adapter as in its
 * documentation.
 */
export type Kind = 'ours' | 'stock'

/** Orders to worker.ts. */
export type NodeOrder =
  /** Remember these tickets as the next ones to push. */
  | { do: 'load'; tickets: readonly string[] }
  /** Push the loaded tickets. Answered when Redis has accepted the last push. */
  | { do: 'push'; pace: Pace }

export type NodeAnswer = { did: 'start'; port: number } | { did: 'load' } | { did: 'push' }

/** The account that scans and confirms every ticket. */
export const OWNER = 'bench'
