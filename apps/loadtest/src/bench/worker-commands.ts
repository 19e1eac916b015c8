import type { Pace } from './pace.ts'

/**
 * What is compared: the cluster as the gateway builds it, and Socket.IO with its classic Redis adapter as its
 * documentation shows it.
 */
export type Kind = 'ours' | 'stock'

/** Orders to worker.ts. */
export type NodeOrder =
  /** Remember these tickets as the next ones to push. */
  | { do: 'load'; tickets: readonly string[] }
  /** Push what was loaded. Answered when Redis has taken the last one. */
  | { do: 'push'; pace: Pace }

export type NodeAnswer = { did: 'start'; port: number } | { did: 'load' } | { did: 'push' }

/** The account that scans and confirms every ticket. */
export const OWNER = 'bench'
