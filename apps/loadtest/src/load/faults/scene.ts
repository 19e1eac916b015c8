import type { Gateway, Nginx } from '@saoma/testing'
import type { Chance } from '../chance.ts'
import type { Store } from '../store.ts'

/** Where a fault happens, and what is drawn for it. */
export interface Scene {
  nodes: readonly Gateway[]
  nginx: Nginx
  store: Store
  /** A source of its own for each fault. */
  chance: Chance
  /** Which of the run's faults it is. */
  turn: number
  downMs: number
  /** The channel that most people follow. */
  busiest: string
}

/**
 * What is done to a cluster. Resolves with what it was done to when it is over: what was taken away is there
 * again and says that it listens.
 */
export type Fault = (scene: Scene) => Promise<string>
