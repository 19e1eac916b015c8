import type { Account } from './account.ts'
import type { Acknowledged } from './ledger.ts'
import type { Plan } from './plan.ts'
import type { Slice } from './recorder.ts'
import type { Rescan } from './rescans.ts'

/** What the leader says to all workers. */
export type Told =
  /** Do what takes time beforehand. The names of the workers, in order: each finds its share by its place. */
  | { do: 'prepare'; plan: Plan; workers: readonly string[] }
  /** Begin at this time of the common clock. */
  | { do: 'begin'; at: number }
  /** All waiting browsers lose their connection now and come back at once. */
  | { do: 'storm' }
  /** Begin nothing new, end what was begun. */
  | { do: 'end' }
  /** Wait for what was acknowledged in the room, then close the books. */
  | { do: 'settle'; told: readonly (readonly Acknowledged[])[] }
  /** It is over. Other machines end with this code, and say this. */
  | { do: 'leave'; code: number; say: string }

/** What a worker says to the leader. */
export type Said = { worker: string } & (
  | { did: 'join'; machine: string; workers: number }
  | { did: 'prepare' }
  | { did: 'slice'; slice: Slice }
  /**
   * `arrivedUntil`: milliseconds since the beginning, see the ledger; absent where nobody publishes into the
   * room.
   */
  | { did: 'crowd'; connected: number; wanted: number; arrivedUntil?: number }
  | { did: 'end'; told: readonly Acknowledged[] }
  | { did: 'settle'; account: Account; rescans: readonly Rescan[] }
  | { did: 'fail'; message: string }
)
