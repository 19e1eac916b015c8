import type { Result } from '@saoma/protocol'
import type { LiveConnection } from '../live-connection.ts'
import type { LiveConnections } from '../live-connections.ts'
import type { ConnmixConnection } from './connmix-connection.ts'
import type { Op } from './requests.ts'

/** What the door does for all of its connections. */
export interface Keeper {
  /** Bytes that may wait for a client that goes on asking. */
  readonly maxBufferBytes: number
  isDraining(): boolean
  /** The clock by which a client is silent, in milliseconds from any beginning. */
  now(): number
  /** Counts a frame that asks nothing of the channels; `flood` is called when there were far too many. */
  countStray(connection: string, flood: () => void): void
  readonly connections: LiveConnections
  /** Does what is asked and answers it once, or not at all when there is nobody to be answered. */
  ask(
    connection: LiveConnection,
    event: Exclude<Op, 'auth'>,
    body: object,
    answer: (result: Result<object>) => void,
  ): Promise<void>
  closed(connection: ConnmixConnection, reason: string): void
}
