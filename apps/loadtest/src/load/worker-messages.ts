import type { Account } from './account.ts'
import type { Acknowledged } from './ledger.ts'
import type { Plan } from './plan.ts'
import type { Slice } from './recorder.ts'
import type { Rescan } from './rescans.ts'

/** Messages from the leader to all workers. */
export type Told =
  /** Do slow work beforehand. `workers` lists all names in order; a worker's index determines its share. */
  | { do: 'prepare'; plan: Plan; workers: readonly string[] }
  /** Begin at this time of the common clock. */
  | { do: 'begin'; at: number }
  /** All waiting browsers drop their connections now and reconnect at once. */
  | { do: 'storm' }
  /** Start nothing new, and end what was started. */
  | { do: 'end' }
  /** Wait for the acknowledged messages of the room, then close the ledger. */
  | { do: 'settle'; told: readonly (readonly Acknowledged[])[] }
  /** The run is over. Other machines exit with this code and print this text. */
  | { do: 'leave'; code: number; say: string }

/** Messages from a worker to the leader. */
export type Said = { worker: string } & (
  | { did: 'join'; machine: string; workers: number }
  | { did: 'prepare' }
  | { did: 'slice'; slice: Slice }
  /**
   * `arrivedUntil`: milliseconds since the beginning, see the ledger. Absent if nobody publishes into the
   * room.
   */
  | { did: 'crowd'; connected: number; wanted: number; arrivedUntil?: number }
  | { did: 'end'; told: readonly Acknowledged[] }
  | { did: 'settle'; account: Account; rescans: readonly Rescan[] }
  | { did: 'fail'; message: string }
)
