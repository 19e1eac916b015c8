import type { Gateway, Nginx } from '@saoma/testing'
import type { Chance } from '../chance.ts'
import type { Store } from '../store.ts'

/** The surroundings of a fault, and the random choices for it. */
export interface Scene {
  nodes: readonly Gateway[]
  nginx: Nginx
  store: Store
  /** Each fault has a random source of its own. */
  chance: Chance
  /** The number of the fault within the run. */
  turn: number
  downMs: number
  /** The channel that most people follow. */
  busiest: string
}

/**
 * A fault in a cluster. Resolves with its target when the fault is over: whatever was stopped runs and
 * listens again.
 */
export type Fault = (scene: Scene) => Promise<string>
